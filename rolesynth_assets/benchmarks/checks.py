"""Data-quality checks of benchmark scores; each can fail and shows value and threshold.

Both take rows of the warehouse's `benchmark_scores` table (see `score.scores_frame`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.check_outcome import CheckOutcome

if TYPE_CHECKING:
    import polars as pl


def above_chance(
    scores: pl.DataFrame, *, margin: float = 0.0, metrics: Sequence[str] | None = None
) -> CheckOutcome:
    """Hold the lower bound of every score's interval against its chance level.

    Args:
        scores: rows of one recipe on one benchmark, of any number of seeds.
        margin: how far the lower bound must lie above chance, in [0, 1].
        metrics: which metrics count; None for all.

    Returns:
        `value` is the smallest distance of a lower bound from its chance level.

    Raises:
        ValueError: there is no score.
    """
    import polars as pl

    rows = _rows(scores, metrics).with_columns(distance=pl.col("low") - pl.col("chance"))
    rows = rows.sort("distance", "metric", "seed")
    worst = rows.row(0, named=True)
    below = rows.filter(~(pl.col("distance") > margin))
    return CheckOutcome(
        passed=below.is_empty(),
        value=worst["distance"],
        threshold=margin,
        description=(
            f"{len(rows) - len(below)} of {len(rows)} scores lie above chance by more than their "
            f"interval; the closest is {worst['metric']} of seed {worst['seed']}: "
            f"{worst['value']:.3f} [{worst['low']:.3f}, {worst['high']:.3f}], "
            f"chance {worst['chance']:.3f}"
        ),
        metadata={"not_above_chance": _named(below, ("value", "low", "chance"))},
    )


def not_worse_than_baseline(
    scores: pl.DataFrame,
    baseline: pl.DataFrame,
    *,
    tolerance: float = 0.0,
    metrics: Sequence[str] | None = None,
) -> CheckOutcome:
    """Hold a recipe's mean over seeds against that of its baseline recipe, metric by metric.

    A metric is worse when the upper bound of its difference lies below -`tolerance`. The bound
    joins the two intervals as those of independent scores: difference + sqrt(a^2 + b^2), with a
    the upper half width of the recipe and b the lower one of the baseline (Zou and Donner, 2008,
    MOVER). Both recipes are measured on the same images, so the true interval is narrower: the
    check would rather miss a small loss than warn of none.

    Args:
        scores: rows of one recipe on one benchmark.
        baseline: rows of the baseline recipe on the same benchmark.
        tolerance: further loss that is accepted, in [0, 1].
        metrics: which metrics count; None for all.

    Returns:
        `value` is the difference of the metric that comes closest to being worse, or is worst;
        `threshold` the lowest difference that metric may have.

    Raises:
        ValueError: there is no score, or the two were not measured on the same benchmark and
            metrics.
    """
    import polars as pl

    ours, theirs = _means(_rows(scores, metrics)), _means(_rows(baseline, metrics))
    if set(zip(ours["benchmark"], ours["metric"], strict=True)) != set(
        zip(theirs["benchmark"], theirs["metric"], strict=True)
    ):
        raise ValueError(
            "scores and baseline were measured on different benchmarks or metrics; measure both "
            "recipes on the same task"
        )
    half_width = (pl.col("above") ** 2 + pl.col("below_baseline") ** 2).sqrt()
    rows = (
        ours.join(theirs, on=["benchmark", "metric"], suffix="_baseline")
        .with_columns(
            difference=pl.col("value") - pl.col("value_baseline"), bound=-(half_width + tolerance)
        )
        .sort(pl.col("difference") - pl.col("bound"), "metric")
    )
    worst = rows.row(0, named=True)
    worse = rows.filter(~(pl.col("difference") >= pl.col("bound")))
    return CheckOutcome(
        passed=worse.is_empty(),
        value=worst["difference"],
        threshold=worst["bound"],
        description=(
            f"{len(worse)} of {len(rows)} metrics are worse than the baseline's; the weakest "
            f"is {worst['metric']}: {worst['value']:.3f} against {worst['value_baseline']:.3f}"
        ),
        metadata={
            "worse": _named(worse, ("difference", "bound")),
            "all": _named(rows, ("difference", "bound")),
        },
    )


def against_baseline(
    scores: pl.DataFrame,
    baseline: pl.DataFrame,
    name: str | None,
    *,
    metrics: Sequence[str] | None = None,
) -> CheckOutcome:
    """Compare with the baseline's scores where there are any.

    Args:
        scores: of the recipe on one benchmark.
        baseline: of its baseline on the same; empty if it has none yet.
        name: of the baseline, None if the recipe has none.
        metrics: compared ones; all by default.
    """
    if name is None or baseline.is_empty():
        return no_baseline(name)
    return not_worse_than_baseline(scores, baseline, metrics=metrics)


def no_baseline(baseline: str | None) -> CheckOutcome:
    """Pass where there is nothing to compare with, and say so.

    Args:
        baseline: name of the baseline recipe, None if the recipe has none.
    """
    why = f"baseline {baseline} has no scores yet" if baseline else "the recipe has no baseline"
    return CheckOutcome(True, 0.0, None, f"Nothing to compare with: {why}.")


def _rows(scores: pl.DataFrame, metrics: Sequence[str] | None) -> pl.DataFrame:
    import polars as pl

    rows = scores if metrics is None else scores.filter(pl.col("metric").is_in(list(metrics)))
    if rows.is_empty():
        raise ValueError("no score to check; measure the benchmark first")
    numbers = rows.select("value", "low", "high", "chance")
    if (
        not numbers.select(pl.all_horizontal(pl.all().is_finite().fill_null(False)))
        .to_series()
        .all()
    ):
        raise ValueError("a score is not a finite number; evaluate the checkpoint again")
    return rows


def _means(rows: pl.DataFrame) -> pl.DataFrame:
    """Mean over seeds of value and of the interval's half widths below and above it."""
    import polars as pl

    return rows.group_by("benchmark", "metric").agg(
        pl.col("value").mean(),
        below=(pl.col("value") - pl.col("low")).mean(),
        above=(pl.col("high") - pl.col("value")).mean(),
    )


def _named(rows: pl.DataFrame, columns: Sequence[str]) -> list[dict[str, object]]:
    names = [name for name in ("benchmark", "metric", "seed") if name in rows.columns]
    return rows.select(*names, *columns).to_dicts()
