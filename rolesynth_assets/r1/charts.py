"""Charts of R1: reward, KL and reply length of a training by step, and bars of accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rolesynth_assets.pictures.charts import ScoreBar
from rolesynth_assets.pictures.figure import TITLE, figure_png, new_figure, plain_axes
from rolesynth_assets.pictures.style import FAINT, INK, SERIES
from rolesynth_assets.r1.benchmarks.evaluate import R1Metric
from rolesynth_assets.r1.training.checkpoint import StepLog

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes


def training_curves(log: Sequence[StepLog], *, title: str = "") -> bytes:
    """Draw reward with its two parts, KL from the untrained model, and reply length, by step.

    Args:
        log: one row per optimiser step.
        title: title of the chart, such as recipe and seed.

    Returns:
        A PNG.

    Raises:
        ValueError: there is no step.
    """
    if not log:
        raise ValueError("no step to draw: an untrained model has no curves")
    steps = [row.step for row in log]
    figure = new_figure(680)
    rewards, divergence, length = figure.subplots(3, 1, sharex=True, height_ratios=(2, 1, 1))
    _lines(
        rewards,
        steps,
        [
            ("reward", [row.reward for row in log]),
            ("right answers", [row.accuracy for row in log]),
            ("well-formed replies", [row.format for row in log]),
        ],
    )
    rewards.set_ylim(-0.03, 1.03)
    rewards.set_title(
        f"{title}  reward {log[0].reward:.2f} to {log[-1].reward:.2f}".strip(), **TITLE
    )
    figure.legend(frameon=False, labelcolor=INK, ncols=3, loc="outside upper right")
    kl = [row.kl for row in log]
    if any(value is not None for value in kl):
        _lines(divergence, steps, [("KL", [np.nan if k is None else k for k in kl])])
        divergence.set_title("KL from the untrained model, nats a token", **TITLE)
    else:
        plain_axes(divergence)
        divergence.set_title("KL not measured: the recipe's beta is 0", **TITLE)
    _lines(length, steps, [("length", [row.length for row in log])])
    length.set_title("reply length, tokens", **TITLE)
    length.set_xlabel("optimiser step", color=FAINT)
    return figure_png(figure)


def accuracy_bars(scores: pl.DataFrame) -> list[ScoreBar]:
    """Return one bar a recipe and benchmark: means over seeds of accuracy and its interval.

    Args:
        scores: rows of `r1_scores`.
    """
    import polars as pl

    means = (
        scores.filter(pl.col("metric") == str(R1Metric.ACCURACY))
        .group_by("recipe", "benchmark", maintain_order=True)
        .agg(pl.col("value", "low", "high").mean(), pl.col("chance").first())
        .rename({"benchmark": "metric"})
    )
    return [ScoreBar(**row) for row in means.iter_rows(named=True)]


def _lines(
    panel: Axes, steps: Sequence[int], series: Sequence[tuple[str, Sequence[float]]]
) -> None:
    plain_axes(panel)
    for colour, (label, values) in zip(SERIES, series, strict=False):
        panel.plot(steps, values, color=colour, linewidth=1.8, marker="o", ms=3, label=label)
