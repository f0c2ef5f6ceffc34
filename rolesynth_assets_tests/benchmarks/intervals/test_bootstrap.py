import numpy as np
import pytest

from rolesynth_assets.benchmarks.intervals.bootstrap import (
    bootstrap_mean,
    bootstrap_mean_per_class,
)


def _coverage(draw, truth: float, trials: int = 300, **arguments) -> float:
    covered = 0
    for trial in range(trials):
        hits, clusters = draw(np.random.default_rng(trial))
        interval = bootstrap_mean(hits, clusters, seed=trial, resamples=400, **arguments)
        covered += interval.low <= truth <= interval.high
    return covered / trials


def test_intervals_cover_a_known_binomial() -> None:
    coverage = _coverage(lambda rng: ((rng.random(200) < 0.3).astype(float), None), 0.3)
    # 0.95 nominal; the standard error over 300 trials is 0.013
    assert 0.90 <= coverage <= 0.99


def _correlated(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """80 images of five captions that are all found or all missed."""
    clusters = np.repeat(np.arange(80), 5)
    return (rng.random(80) < 0.4).astype(float)[clusters], clusters


def test_clusters_keep_the_coverage_that_single_captions_lose() -> None:
    assert 0.90 <= _coverage(_correlated, 0.4) <= 0.99
    alone = _coverage(lambda rng: (_correlated(rng)[0], None), 0.4)
    assert alone < 0.75  # sqrt(5) too narrow: 2 * Phi(1.96 / sqrt(5)) - 1 = 0.62


def test_the_value_is_the_mean_over_captions_of_unequal_images() -> None:
    hits = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    interval = bootstrap_mean(hits, np.array([7, 7, 7, 2, 9]))
    assert interval.value == pytest.approx(0.6)
    assert interval.low < 0.6 < interval.high


def test_the_vectorised_draw_equals_a_loop_over_resamples() -> None:
    rng = np.random.default_rng(0)
    clusters = rng.permutation(np.repeat(np.arange(12), 3))[:30]
    hits = rng.random(30)
    interval = bootstrap_mean(hits, clusters, seed=5, resamples=200)
    names = np.unique(clusters)
    picked = np.random.default_rng(5).integers(0, len(names), size=(200, len(names)))
    draws = [
        np.concatenate([hits[clusters == names[index]] for index in row]).mean() for row in picked
    ]
    assert [interval.low, interval.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]))


def test_one_seed_gives_one_interval_and_another_seed_another() -> None:
    hits = np.random.default_rng(0).random(100)
    assert bootstrap_mean(hits, seed=1) == bootstrap_mean(hits, seed=1)
    assert bootstrap_mean(hits, seed=1) != bootstrap_mean(hits, seed=2)


def test_a_narrow_memory_bound_changes_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    hits = np.random.default_rng(0).random(100)
    labels = np.arange(100) % 7
    before = bootstrap_mean(hits, seed=1), bootstrap_mean_per_class(hits, labels, seed=1)
    monkeypatch.setattr("rolesynth_assets.benchmarks.intervals.bootstrap._CELLS", 250)
    assert (bootstrap_mean(hits, seed=1), bootstrap_mean_per_class(hits, labels, seed=1)) == before


def test_mean_per_class_weighs_classes_and_not_images() -> None:
    hits = np.array([1.0] * 90 + [0.0] * 10)
    labels = np.array([3] * 90 + [8] * 10)
    interval = bootstrap_mean_per_class(hits, labels)
    assert interval.value == pytest.approx(0.5)
    assert bootstrap_mean(hits).value == pytest.approx(0.9)


def test_mean_per_class_equals_a_loop_and_leaves_missed_classes_out() -> None:
    rng = np.random.default_rng(2)
    hits, labels = rng.random(9), np.array([0, 0, 0, 0, 1, 1, 2, 4, 4])
    interval = bootstrap_mean_per_class(hits, labels, seed=3, resamples=300)
    draws = []
    for row in np.random.default_rng(3).integers(0, 9, size=(300, 9)):
        present = np.unique(labels[row])
        draws.append(np.mean([hits[row][labels[row] == label].mean() for label in present]))
    assert [interval.low, interval.high] == pytest.approx(np.quantile(draws, [0.025, 0.975]))


def test_missing_hits_are_an_error() -> None:
    with pytest.raises(ValueError, match="not empty"):
        bootstrap_mean(np.array([]))
    with pytest.raises(ValueError, match="do not fit"):
        bootstrap_mean(np.ones(3), np.arange(2))
