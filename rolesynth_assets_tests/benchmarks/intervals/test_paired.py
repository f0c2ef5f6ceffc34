import numpy as np
import polars as pl
import pytest
from scipy import stats

from rolesynth_assets.benchmarks.intervals.paired import (
    hits_from_rankings,
    hits_per_image,
    mean_score,
    paired_difference,
)
from rolesynth_assets.benchmarks.score import Measurement, Metric


def measured(metric: Metric, hits: list[float], clusters: list[int]) -> Measurement:
    return Measurement(metric, np.array(hits), np.array(clusters), 0.1)


RETRIEVAL = [
    measured(Metric.IMAGE_TO_TEXT_R1, [1, 0, 1], [0, 1, 2]),
    measured(Metric.IMAGE_TO_TEXT_R5, [1, 1, 1], [0, 1, 2]),
    measured(Metric.TEXT_TO_IMAGE_R1, [1, 0, 0, 0, 1, 1], [0, 0, 1, 1, 2, 2]),
]


def test_an_image_counts_in_both_directions() -> None:
    assert hits_per_image(RETRIEVAL).tolist() == [0.75, 0.0, 1.0]
    top = [measured(Metric.TOP1, [1, 0], [0, 1]), measured(Metric.TOP5, [1, 1], [0, 1])]
    assert hits_per_image(top).tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="neither"):
        hits_per_image(RETRIEVAL[1:2])


def test_the_interval_covers_seeds_and_images() -> None:
    rng = np.random.default_rng(0)
    theirs = {seed: rng.random(50) for seed in range(3)}
    ours = {seed: hits + 0.1 + 0.05 * seed for seed, hits in theirs.items()}  # equal on all images
    found = paired_difference(ours, theirs)
    low, high = stats.t.interval(0.95, 2, loc=0.15, scale=stats.sem([0.1, 0.15, 0.2]))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))
    assert (found.seeds, found.images) == (3, 50)
    one = paired_difference({0: rng.random(400)}, {0: np.zeros(400)})
    assert one.interval.high - one.interval.value == pytest.approx(1.96 * 0.289 / 20, rel=0.1)


def test_noise_of_seeds_and_images_is_covered_at_the_stated_rate() -> None:
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        seeds, images = rng.normal(0, 0.02, (5, 1)), rng.normal(0, 0.4, (1, 200))
        values = 0.03 + seeds + images + rng.normal(0, 0.3, (5, 200))
        interval = paired_difference(dict(enumerate(values)), {0: np.zeros(200)}).interval
        covered += interval.low <= 0.03 <= interval.high
    assert covered / 400 >= 0.94


def test_a_recipe_with_one_seed_is_held_against_each_seed_of_the_other() -> None:
    base, ours = {0: np.zeros(4)}, {1: np.ones(4), 2: np.ones(4) / 2}
    assert paired_difference(ours, base).interval.value == 0.75
    assert paired_difference(base, ours).interval.value == -0.75
    with pytest.raises(ValueError, match="no seed in common"):
        paired_difference({0: np.ones(4), 1: np.ones(4)}, {2: np.ones(4), 3: np.ones(4)})
    with pytest.raises(ValueError, match=r"\[3, 4\] images"):
        paired_difference({0: np.ones(4)}, {0: np.ones(3)})
    assert mean_score(ours).interval.value == 0.75


def test_the_stored_ranks_give_the_same_hits() -> None:
    """The ranks of two images with two captions each, of two seeds."""
    ranks = {
        "image_to_text": [(0, 1.0), (1, 2.0)],
        "text_to_image": [(0, 1.0), (0, 4.0), (1, 1.5), (1, 1.0)],  # 1.5 is a tie of two
    }
    rows = [
        {
            "recipe": "r",
            "benchmark": "b",
            "seed": seed,
            "direction": direction,
            "image": image,
            "rank": rank + seed,
        }
        for seed in (0, 3)
        for direction, found in ranks.items()
        for image, rank in found
    ]
    back = hits_from_rankings(pl.DataFrame(rows).sample(fraction=1, shuffle=True, seed=1))
    assert {key: set(seeds) for key, seeds in back.items()} == {("r", "b"): {0, 3}}
    assert back["r", "b"][0].tolist() == [0.75, 0.375]
    assert back["r", "b"][3].tolist() == [0.0, 0.0]
    assert hits_from_rankings(pl.DataFrame(rows).clear()) == {}
