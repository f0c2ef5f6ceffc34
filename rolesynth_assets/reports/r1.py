"""The R1 report, which compares GRPO on the synthetic problems with the untrained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

from rolesynth_assets.benchmarks.intervals.bootstrap import LEVEL, Interval
from rolesynth_assets.benchmarks.intervals.seed_intervals import (
    ScoreKey,
    SeededScore,
    student_interval,
    summarise,
)
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.pictures.markdown import Markdown, code, heading, quote, table, text
from rolesynth_assets.r1.benchmarks.evaluate import R1Metric
from rolesynth_assets.r1.recipe import R1Recipe
from rolesynth_assets.r1.training.checkpoint import Rollout

if TYPE_CHECKING:
    import polars as pl

FEWEST_SEEDS = 3
"""Smallest number of seeds for a verdict."""
ALL = "all held-out problems"
"""The mean over benchmarks, each with the same weight."""

STAND_IN = (
    "The policy is the embedded nano MLLM, a stand-in for Qwen2.5-VL-7B, on problems about "
    "composed pictures: the numbers show that the platform works, not what the method reaches."
)


class Outcome(StrEnum):
    """How a recipe compares with its baseline."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference seen"
    TOO_FEW_SEEDS = "too few seeds"


def against_baseline(ours: SeededScore, base: SeededScore, level: float = LEVEL) -> Interval | None:
    """Return the difference to a baseline with its Student t interval over our seeds.

    A baseline with one seed is untrained: its one value is compared with each of ours. A baseline
    with several seeds is paired by seed. All are measured on the same items, so the interval covers
    the variation over seeds, not over items.

    Returns:
        The interval, or None if there are fewer than two differences, which have no spread.
    """
    if len(base.by_seed) == 1:
        (value,) = base.by_seed.values()
        differences = [ours.by_seed[seed] - value for seed in sorted(ours.by_seed)]
    else:
        common = sorted(set(ours.by_seed) & set(base.by_seed))
        differences = [ours.by_seed[seed] - base.by_seed[seed] for seed in common]
    return student_interval(differences, level) if len(differences) > 1 else None


def outcome(difference: Interval | None, seeds: int) -> Outcome:
    """Return the verdict on a difference that was measured with `seeds` seeds."""
    if difference is None or seeds < FEWEST_SEEDS:
        return Outcome.TOO_FEW_SEEDS
    if difference.low > 0:
        return Outcome.BETTER
    return Outcome.WORSE if difference.high < 0 else Outcome.NO_DIFFERENCE


def r1_markdown(
    scores: pl.DataFrame, recipes: Mapping[str, R1Recipe], *, level: float = LEVEL
) -> str:
    """Write the comparison of all measured recipes.

    Args:
        scores: rows of the small table `r1_scores`.
        recipes: all recipes by name, for baselines and descriptions.
        level: level of the intervals over seeds.

    Returns:
        A Markdown page: a table per benchmark and one of the mean over benchmarks, accuracies and
        differences in per cent, and a verdict for each recipe.

    Raises:
        ValueError: there is no accuracy, or a (recipe, seed, benchmark) occurs twice.
    """
    import polars as pl

    rows = scores.filter(pl.col("metric") == str(R1Metric.ACCURACY))
    summary = summarise(pl.concat([rows, _over_benchmarks(rows)]), level)
    measured = list(dict.fromkeys(recipe for recipe, *_ in summary))
    lines = [heading(1, "R1: policies against their base"), ""]
    if any(recipes[name].stand_in for name in measured if name in recipes):
        lines += [quote(STAND_IN), ""]
    lines += [
        f"Accuracy in per cent, greedy answers. {level:.0%} intervals in brackets: Student t over "
        "seeds where there are several, else a bootstrap over the benchmark's items. A verdict "
        f"needs {FEWEST_SEEDS} seeds and an interval of the difference without zero.",
        "",
    ]
    benchmarks = sorted({benchmark for _, benchmark, _ in summary}, key=lambda b: (b != ALL, b))
    for benchmark in benchmarks:
        lines += _section(benchmark, measured, summary, recipes, level)
    lines += [heading(2, "Recipes"), ""]
    lines += [
        f"- {code(name)}: {text(recipes[name].description)}" for name in measured if name in recipes
    ]
    return "\n".join([*lines, ""])


def write_r1_report(path: DataPath, scores: pl.DataFrame, recipes: Mapping[str, R1Recipe]) -> str:
    """Write `r1_markdown` to a file, whose folder is created, and return the page."""
    page = r1_markdown(scores, recipes)
    write_text(path, page)
    return page


def rollouts_markdown(rollouts: Sequence[Rollout]) -> Markdown:
    """Return a Markdown table of sample replies before and after the training."""
    rows = [
        [
            *(said.strip() or "-" for said in (r.question, r.solution, r.before)),
            f"{r.reward_before:.1f}",
            r.after.strip() or "-",
            f"{r.reward_after:.1f}",
        ]
        for r in rollouts
    ]
    return table(["question", "reference", "before", "", "after", ""], rows, "lllrlr")


def _over_benchmarks(rows: pl.DataFrame) -> pl.DataFrame:
    """Return means over benchmarks for the recipes and seeds that were measured on all of them."""
    import polars as pl

    total = rows["benchmark"].n_unique()
    means = rows.group_by("recipe", "seed", maintain_order=True).agg(
        pl.lit(ALL).alias("benchmark"),
        pl.col("metric").first(),
        pl.col("value", "low", "high", "chance").mean(),
        pl.col("n").sum(),
        pl.col("checkpoint_digest", "run_id").first(),
        pl.len().alias("measured"),
    )
    complete = means.filter((pl.col("measured") == total) & (total > 1)).drop("measured")
    return complete.select(rows.columns).cast(dict(rows.schema))  # type: ignore[arg-type]


def _section(
    benchmark: str,
    measured: Sequence[str],
    summary: Mapping[ScoreKey, SeededScore],
    recipes: Mapping[str, R1Recipe],
    level: float,
) -> list[str]:
    here = {r: summary[r, benchmark, str(R1Metric.ACCURACY)] for r in measured if
            (r, benchmark, str(R1Metric.ACCURACY)) in summary}  # fmt: skip
    any_score = next(iter(here.values()))
    lines = [
        heading(2, benchmark),
        "",
        f"{any_score.n} items, blind guess {_percent(any_score.chance)}.",
        "",
    ]
    rows: list[list[object]] = []
    for name, score in here.items():
        base = recipes[name].baseline if name in recipes else None
        cells: list[object] = ["", ""]
        if base is not None and base in here:
            difference = against_baseline(score, here[base], level)
            verdict = outcome(difference, len(score.by_seed))
            change = score.interval.value - here[base].interval.value
            cells = [_signed(difference) if difference else f"{100 * change:+.1f}", str(verdict)]
        bounds = f"[{_percent(score.interval.low)}, {_percent(score.interval.high)}]"
        value = Markdown(f"{_percent(score.interval.value)} {bounds}")
        rows.append([code(name), len(score.by_seed), value, *cells])
    head = ["recipe", "seeds", "accuracy", "difference to base", "outcome"]
    return [*lines, table(head, rows, "lrrrl"), ""]


def _percent(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.1f}"


def _signed(interval: Interval) -> Markdown:
    value, low, high = (f"{100 * v:+.1f}" for v in (interval.value, interval.low, interval.high))
    return Markdown(f"{value} [{low}, {high}]")
