import math

import polars as pl
import pytest

from rolesynth_assets.benchmarks.checks import above_chance, compared_with_baseline
from rolesynth_assets.benchmarks.score import Metric, Score, scores_frame


def _scores(values: dict[Metric, float], half: float = 0.05, seeds: int = 1) -> pl.DataFrame:
    scores = [Score(m, v, v - half, v + half, 0.1, 100) for m, v in values.items()]
    frames = [
        scores_frame(scores, recipe="ours", seed=seed, benchmark="scenes") for seed in range(seeds)
    ]
    return pl.concat(frames)


R1, R5 = Metric.IMAGE_TO_TEXT_R1, Metric.IMAGE_TO_TEXT_R5


def test_scores_whose_interval_lies_above_chance_pass() -> None:
    outcome = above_chance(_scores({R1: 0.2, R5: 0.4}, seeds=2))
    assert outcome.passed
    assert (outcome.value, outcome.threshold) == (pytest.approx(0.05), 0.0)
    assert "image_to_text_r1 of seed 0: 0.200 [0.150, 0.250], chance 0.100" in outcome.description


def test_a_score_whose_interval_touches_chance_fails_and_is_named() -> None:
    outcome = above_chance(_scores({R1: 0.14, R5: 0.4}))
    assert not outcome.passed
    assert outcome.value == pytest.approx(-0.01)
    [named] = outcome.metadata["not_above_chance"]  # type: ignore[misc]
    assert (named["metric"], named["seed"]) == ("image_to_text_r1", 0)


def test_margin_and_choice_of_metrics_are_configuration() -> None:
    scores = _scores({R1: 0.14, R5: 0.4})
    assert above_chance(scores, metrics=[R5]).passed
    assert not above_chance(scores, metrics=[R5], margin=0.3).passed
    assert above_chance(scores, metrics=[R5], margin=0.2).threshold == 0.2


def test_a_loss_beyond_both_intervals_fails() -> None:
    outcome = compared_with_baseline(_scores({R1: 0.5, R5: 0.6}), _scores({R1: 0.6, R5: 0.6}))
    assert not outcome.passed
    assert outcome.value == pytest.approx(-0.1)
    assert outcome.threshold == pytest.approx(-math.hypot(0.05, 0.05))
    [named] = outcome.metadata["worse"]  # type: ignore[misc]
    assert named["metric"] == "image_to_text_r1"


def test_a_loss_within_the_intervals_passes_and_a_tolerance_widens_them() -> None:
    assert compared_with_baseline(_scores({R1: 0.54}), _scores({R1: 0.6})).passed
    assert not compared_with_baseline(_scores({R1: 0.5}), _scores({R1: 0.6})).passed
    assert compared_with_baseline(_scores({R1: 0.5}), _scores({R1: 0.6}), tolerance=0.05).passed
    assert compared_with_baseline(_scores({R1: 0.9}), _scores({R1: 0.6})).passed


def test_the_sides_of_the_intervals_that_face_each_other_count() -> None:
    ours = _scores({R1: 0.5}).with_columns(low=pl.lit(0.1), high=pl.lit(0.51))
    theirs = _scores({R1: 0.6}).with_columns(low=pl.lit(0.59), high=pl.lit(0.99))
    assert not compared_with_baseline(ours, theirs).passed
    wide = ours.with_columns(high=pl.lit(0.62))
    assert compared_with_baseline(wide, theirs).passed


def test_the_mean_over_seeds_is_compared() -> None:
    ours = pl.concat(
        [_scores({R1: 0.3}), _scores({R1: 0.9}).with_columns(seed=pl.lit(1, pl.Int64))]
    )
    outcome = compared_with_baseline(ours, _scores({R1: 0.6}, seeds=3))
    assert outcome.passed
    assert outcome.value == pytest.approx(0.0)


def test_nothing_to_compare_is_an_error_and_not_a_pass() -> None:
    scores = _scores({R1: 0.5})
    with pytest.raises(ValueError, match="no score"):
        above_chance(scores.clear())
    with pytest.raises(ValueError, match="no score"):
        above_chance(scores, metrics=["top1"])
    with pytest.raises(ValueError, match="different benchmarks or metrics"):
        compared_with_baseline(scores, _scores({R5: 0.5}))
    for broken in (math.nan, None):
        with pytest.raises(ValueError, match="not a finite number"):
            above_chance(scores.with_columns(low=pl.lit(broken, pl.Float64)))
