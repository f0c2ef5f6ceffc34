"""Benchmark scores: metric, value, interval, chance level and number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl


class Metric(StrEnum):
    """The metrics, in the order in which they are shown."""

    IMAGE_TO_TEXT_R1 = "image_to_text_r1"
    IMAGE_TO_TEXT_R5 = "image_to_text_r5"
    IMAGE_TO_TEXT_R10 = "image_to_text_r10"
    TEXT_TO_IMAGE_R1 = "text_to_image_r1"
    TEXT_TO_IMAGE_R5 = "text_to_image_r5"
    TEXT_TO_IMAGE_R10 = "text_to_image_r10"
    TOP1 = "top1"
    TOP5 = "top5"
    MEAN_PER_CLASS = "mean_per_class"

    @property
    def label(self) -> str:
        """The metric's name as papers print it."""
        return _LABELS[self]


_LABELS = {
    **{Metric(f"image_to_text_r{k}"): f"I→T R@{k}" for k in (1, 5, 10)},
    **{Metric(f"text_to_image_r{k}"): f"T→I R@{k}" for k in (1, 5, 10)},
    Metric.TOP1: "top-1",
    Metric.TOP5: "top-5",
    Metric.MEAN_PER_CLASS: "mean per class",
}


@dataclass(frozen=True)
class Score:
    """One metric of one model on one benchmark.

    Attributes:
        metric: the metric.
        value: mean over the queries, in [0, 1].
        low: lower bound of the bootstrap interval over images.
        high: upper bound of that interval.
        chance: exact value of a random ranking.
        n: number of queries: images, or captions for text-to-image.
    """

    metric: Metric
    value: float
    low: float
    high: float
    chance: float
    n: int


@dataclass(frozen=True)
class Measurement:
    """The hits behind a score, kept for paired comparisons of two models.

    Attributes:
        metric: the metric.
        hits: (queries,) in [0, 1], in the order of the task's files.
        clusters: (queries,) image index of each query; for mean per class, the class.
        chance: exact value of a random ranking.
    """

    metric: Metric
    hits: np.ndarray
    clusters: np.ndarray
    chance: float


def scores_frame(
    scores: Iterable[Score],
    *,
    recipe: str,
    seed: int,
    benchmark: str,
    checkpoint_digest: str = "",
    run_id: str = "",
) -> pl.DataFrame:
    """Return scores as rows of the small table `benchmark_scores`."""
    measured = ((str(s.metric), s.value, s.low, s.high, s.chance, s.n) for s in scores)
    return measured_frame(
        measured,
        recipe=recipe,
        seed=seed,
        benchmark=benchmark,
        checkpoint_digest=checkpoint_digest,
        run_id=run_id,
    )


def measured_frame(
    measured: Iterable[tuple[str, float, float, float, float | None, int]],
    *,
    recipe: str,
    seed: int,
    benchmark: str,
    checkpoint_digest: str,
    run_id: str,
) -> pl.DataFrame:
    """Return (metric, value, low, high, chance, n) as rows of a small table of scores."""
    import polars as pl

    schema = {
        **{"recipe": pl.String, "seed": pl.Int64, "benchmark": pl.String, "metric": pl.String},
        **dict.fromkeys(("value", "low", "high", "chance"), pl.Float64),
        **{"n": pl.Int64, "checkpoint_digest": pl.String, "run_id": pl.String},
    }
    rows = [(recipe, seed, benchmark, *numbers, checkpoint_digest, run_id) for numbers in measured]
    return pl.DataFrame(rows, schema=schema, orient="row")
