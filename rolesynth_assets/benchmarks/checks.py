"""The data-quality checks of benchmark scores.

They take rows of the small table `benchmark_scores` (see `score.scores_frame`).
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
    """Check that the lower bound of every score's interval is above its chance level.

    Args:
        scores: rows of one recipe on one benchmark, of any number of seeds.
        margin: distance by which the lower bound must exceed chance, in [0, 1].
        metrics: metrics to check; None for all.

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


def compared_with_baseline(
    scores: pl.DataFrame,
    baseline: pl.DataFrame,
    *,
    tolerance: float = 0.0,
    metrics: Sequence[str] | None = None,
) -> CheckOutcome:
    """Compare a recipe's mean over seeds with that of its baseline recipe, metric by metric.

    A metric is worse if the upper bound of its difference is below -`tolerance`. The bound combines
    the two intervals as if the scores were independent: difference + sqrt(a^2 + b^2), where a is
    the upper half width of the recipe and b the lower one of the baseline (Zou and Donner, 2008,
    MOVER). Both recipes are measured on the same images, so the true interval is narrower: the
    check would rather miss a small loss than warn of none.

    Args:
        scores: rows of one recipe on one benchmark.
        baseline: rows of the baseline recipe on the same benchmark.
        tolerance: further loss that is accepted, in [0, 1].
        metrics: metrics to compare; None for all.

    Returns:
        `value` is the difference of the metric that is worst in relation to its bound, and
        `threshold` the lowest difference that this metric may have.

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


def not_worse_than_baseline(
    scores: pl.DataFrame,
    baseline: pl.DataFrame,
    name: str | None,
    *,
    tolerance: float = 0.0,
    metrics: Sequence[str] | None = None,
) -> CheckOutcome:
    """Compare a recipe with its baseline; pass if the baseline has no scores.

    Args:
        scores: rows of the recipe on one benchmark.
        baseline: rows of its baseline on the same benchmark; empty if there are none yet.
        name: name of the baseline; None if the recipe has none.
        tolerance: further loss that is accepted, in [0, 1].
        metrics: metrics to compare; None for all.
    """
    if name is None or baseline.is_empty():
        return no_baseline(name)
    return compared_with_baseline(scores, baseline, tolerance=tolerance, metrics=metrics)


def no_baseline(baseline: str | None) -> CheckOutcome:
    """Return the outcome of a comparison without scores of a baseline: it passes.

    Args:
        baseline: name of the baseline recipe; None if the recipe has none.
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
    """Return means over seeds of the value and of the half widths of its interval."""
    import polars as pl

    return rows.group_by("benchmark", "metric").agg(
        pl.col("value").mean(),
        below=(pl.col("value") - pl.col("low")).mean(),
        above=(pl.col("high") - pl.col("value")).mean(),
    )


def _named(rows: pl.DataFrame, columns: Sequence[str]) -> list[dict[str, object]]:
    names = [name for name in ("benchmark", "metric", "seed") if name in rows.columns]
    return rows.select(*names, *columns).to_dicts()
