"""Scores over several seeds of a recipe with their intervals, and differences of two recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rolesynth_assets.benchmarks.intervals.bootstrap import LEVEL, Interval

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class SeededScore:
    """One metric of one recipe on one benchmark, over its seeds.

    Attributes:
        interval: mean over seeds, with a Student t interval over seeds for two seeds or more, and
            with the bootstrap interval over images for one seed.
        by_seed: value per seed.
        chance: chance level.
        n: queries per seed.
    """

    interval: Interval
    by_seed: Mapping[int, float]
    chance: float
    n: int


ScoreKey = tuple[str, str, str]  # recipe, benchmark, metric


def summarise(scores: pl.DataFrame, level: float = LEVEL) -> dict[ScoreKey, SeededScore]:
    """Return mean and interval over seeds per (recipe, benchmark, metric).

    Raises:
        ValueError: there is no score, or a (recipe, seed, benchmark, metric) occurs twice.
    """
    if scores.is_empty():
        raise ValueError("no benchmark score to report; materialize benchmark_scores first")
    if scores.select("recipe", "seed", "benchmark", "metric").is_duplicated().any():
        raise ValueError("a (recipe, seed, benchmark, metric) has two scores; keep the latest run")
    summary: dict[ScoreKey, SeededScore] = {}
    for (recipe, benchmark, metric), rows in scores.sort("seed").group_by(
        "recipe", "benchmark", "metric", maintain_order=True
    ):
        first = rows.row(0, named=True)
        by_seed = dict(zip(rows["seed"], rows["value"], strict=True))
        interval = (
            student_interval(list(by_seed.values()), level)
            if len(by_seed) > 1
            else Interval(first["value"], first["low"], first["high"])
        )
        key = (str(recipe), str(benchmark), str(metric))
        summary[key] = SeededScore(interval, by_seed, first["chance"], first["n"])
    return summary


def student_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Return the mean and the Student t interval of at least two values, one per seed.

    Raises:
        ValueError: there are fewer than two values, which have no spread.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError("an interval over seeds needs two seeds or more")
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    half = float(t.ppf((1 + level) / 2, len(values) - 1)) * error
    return Interval(mean, mean - half, mean + half)


def difference(ours: SeededScore, theirs: SeededScore, level: float = LEVEL) -> Interval:
    """Return the difference of two recipes.

    With two seeds or more in common its interval is the paired Student t interval over those seeds.
    Otherwise both intervals are combined as if the scores were independent (see
    `checks.not_worse_than_baseline`).
    """
    common = sorted(set(ours.by_seed) & set(theirs.by_seed))
    if len(common) > 1:
        return student_interval([ours.by_seed[s] - theirs.by_seed[s] for s in common], level)
    a, b = ours.interval, theirs.interval
    value = a.value - b.value
    down = float(np.hypot(a.value - a.low, b.high - b.value))
    up = float(np.hypot(a.high - a.value, b.value - b.low))
    return Interval(value, value - down, value + up)
