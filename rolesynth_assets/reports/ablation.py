"""The ablation report: a Markdown comparison of recipes with intervals over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.benchmarks.intervals.bootstrap import LEVEL, Interval
from rolesynth_assets.benchmarks.intervals.seed_intervals import (
    ScoreKey,
    SeededScore,
    difference,
    summarise,
)
from rolesynth_assets.benchmarks.score import Metric
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.pictures.charts import ScoreBar, retrieval_bars
from rolesynth_assets.pictures.markdown import (
    Markdown,
    bold,
    code,
    emphasis,
    heading,
    image,
    quote,
    table,
    text,
)
from rolesynth_assets.reports.ablation_record import (
    Record,
    best_of,
    claim_sentences,
    cuts_table,
    difference_picture,
    scores_table,
)
from rolesynth_assets.reports.claims import DEV, LONG, SHORT

if TYPE_CHECKING:
    import polars as pl

STAND_IN = (
    "Captions and their scores were made by the embedded nano MLLM, a stand-in for Qwen2.5-VL-7B, "
    "on composed scenes: the numbers show that the platform works, not what the method reaches."
)


def ablation_markdown(
    scores: pl.DataFrame,
    *,
    baselines: Mapping[str, str],
    descriptions: Mapping[str, str] | None = None,
    stand_in: str | None = None,
    record: Record | None = None,
    level: float = LEVEL,
) -> str:
    """Write the ablation report.

    Args:
        scores: rows of the small table `benchmark_scores` for all recipes to show.
        baselines: baseline recipe by recipe; a recipe without one has no row of differences.
        descriptions: one line per recipe, listed below the tables.
        stand_in: sentence that names the stand-in models behind the numbers, shown at the top.
        record: what was measured of the claims; their section comes first.
        level: level of the intervals over seeds.

    Returns:
        A Markdown page: per benchmark one table of scores in per cent (recipes as rows after the
        chance level, metrics as columns) and one of differences to the baseline.

    Raises:
        ValueError: there is no score, or a (recipe, seed, benchmark, metric) occurs twice.
    """
    summary = summarise(scores, level)
    recipes = _ordered({recipe for recipe, _, _ in summary}, baselines)
    lines = [heading(1, "Ablation report"), ""]
    if stand_in:
        lines += [quote(stand_in), ""]
    if record is not None:
        lines += _what_earns(record)
    lines += [_reading(summary, level), ""]
    for benchmark in sorted({benchmark for _, benchmark, _ in summary}):
        lines += _benchmark_section(summary, benchmark, recipes, baselines, level)
    if descriptions:
        lines += [heading(2, "Recipes"), ""]
        lines += [
            f"- {code(name)}: {text(descriptions[name])}"
            for name in recipes
            if name in descriptions
        ]
        lines.append("")
    return "\n".join(lines)


def _what_earns(record: Record) -> list[str]:
    """Return the section of claims, and of what each recipe was trained on."""
    chosen = best_of(record)
    said = (
        f"The best recipe was chosen on {LONG}{DEV}: {code(chosen)}. The others were fixed "
        f"beforehand. All differences are measured on the test split, {LONG} or {SHORT}, which "
        "chose nothing."
        if chosen
        else f"No recipe is called the best: {LONG}{DEV}, on which it is chosen, was not scored. "
        "`rolesynth ablation` scores it."
    )
    how = (
        "A claim is held if the whole interval of its difference is on its side. The intervals are "
        "of 95 %, paired over training seeds and images: recipes with one seed leave the chance of "
        "training out. Among twenty claims one may seem to hold by chance."
    )
    return [
        heading(2, "What earns the score"),
        "",
        said,
        "",
        how,
        "",
        claim_sentences(record),
        "",
        heading(2, "What the recipes are trained on"),
        "",
        scores_table(record),
        "",
        f"The scores are R@1 in per cent, mean of both directions; {text(record['schedule'])}.",
        "",
        cuts_table(record),
        "",
    ]


def _reading(summary: Mapping[ScoreKey, SeededScore], level: float) -> str:
    seeds = sorted({len(score.by_seed) for score in summary.values()})
    over = (
        f"{level:.0%} intervals in brackets: Student t over seeds where a recipe has two seeds or "
        "more, else a bootstrap over the benchmark's images, which does not cover other seeds."
    )
    many = (
        "A difference is bold if its interval excludes zero; among many cells a few do so by "
        "chance."
    )
    return (
        f"Values are per cent, mean over seeds ({' or '.join(map(str, seeds))} per recipe). "
        f"{over} {many}"
    )


def _benchmark_section(
    summary: Mapping[ScoreKey, SeededScore],
    benchmark: str,
    recipes: Sequence[str],
    baselines: Mapping[str, str],
    level: float,
) -> list[str]:
    here = {(r, m): score for (r, b, m), score in summary.items() if b == benchmark}
    known = [str(metric) for metric in Metric]
    metrics = sorted({metric for _, metric in here}, key=known.index)
    labels = [Metric(metric).label for metric in metrics]
    any_of = {metric: next(s for (_, m), s in here.items() if m == metric) for metric in metrics}
    sizes = ", ".join(f"{Metric(m).label} {any_of[m].n}" for m in metrics if _first_of_kind(m))
    present = [recipe for recipe in recipes if any(recipe == r for r, _ in here)]

    lines = [heading(2, benchmark), "", f"Queries: {sizes}.", ""]
    rows: list[list[object]] = [
        [emphasis("chance"), "", *[_percent(any_of[m].chance) for m in metrics]]
    ]
    for recipe in present:
        found = [here.get((recipe, metric)) for metric in metrics]
        seeds = max(len(score.by_seed) for score in found if score)
        cells = [_interval(score.interval) if score else "" for score in found]
        rows.append([code(recipe), seeds, *cells])
    numbers = "r" * len(labels)
    lines += [table(["recipe", "seeds", *labels], rows, f"lr{numbers}"), ""]

    compared = [r for r in present if baselines.get(r, r) != r and baselines[r] in present]
    if compared:
        lines += ["Difference to the baseline, in points:", ""]
        rows = []
        for recipe in compared:
            pairs = [(here.get((recipe, m)), here.get((baselines[recipe], m))) for m in metrics]
            cells = [_difference(difference(a, b, level)) if a and b else "" for a, b in pairs]
            rows.append([code(recipe), code(baselines[recipe]), *cells])
        lines += [table(["recipe", "baseline", *labels], rows, f"ll{numbers}"), ""]
    return lines


def _ordered(recipes: set[str], baselines: Mapping[str, str]) -> list[str]:
    """Return the recipes that serve as a baseline, then the others, each by name."""
    serving = {baselines[recipe] for recipe in recipes if recipe in baselines}
    return sorted(recipes, key=lambda recipe: (recipe not in serving, recipe))


def _first_of_kind(metric: str) -> bool:
    return metric in (Metric.IMAGE_TO_TEXT_R1, Metric.TEXT_TO_IMAGE_R1, Metric.TOP1)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if value >= 0.001 or value == 0 else f"{100 * value:.2g}"


def _interval(interval: Interval) -> Markdown:
    low, high = max(interval.low, 0.0), min(interval.high, 1.0)
    return Markdown(f"{100 * interval.value:.1f} [{100 * low:.1f}, {100 * high:.1f}]")


def _difference(interval: Interval) -> Markdown:
    value, low, high = (
        f"{round(100 * bound, 1) + 0.0:+.1f}"  # + 0.0 turns -0.0 into 0.0
        for bound in (interval.value, interval.low, interval.high)
    )
    shown = Markdown(f"{value} [{low}, {high}]")
    return bold(shown) if interval.low > 0 or interval.high < 0 else shown


def score_bars(scores: pl.DataFrame) -> list[ScoreBar]:
    """Return one bar a recipe and metric: means over seeds of value and bootstrap interval.

    Args:
        scores: rows of `benchmark_scores` for one benchmark.
    """
    import polars as pl

    means = scores.group_by("recipe", "metric", maintain_order=True).agg(
        pl.col("value", "low", "high").mean(), pl.col("chance").first()
    )
    return [ScoreBar(**row) for row in means.iter_rows(named=True)]


def ablation_pictures(scores: pl.DataFrame, record: Record | None = None) -> dict[str, Markdown]:
    """Return the picture of the claims' differences, and one of scores for each benchmark by name.

    Args:
        scores: rows of `benchmark_scores`.
        record: what was measured of the claims.
    """
    drawn = difference_picture(record) if record else None
    first = {"what_earns_the_score": image(drawn, "differences of recipes")} if drawn else {}
    by_benchmark = scores.sort("benchmark").group_by("benchmark", maintain_order=True)
    return first | {
        str(name): image(retrieval_bars(score_bars(rows), title=str(name)), f"scores on {name}")
        for (name,), rows in by_benchmark
    }


def write_ablation_report(
    path: DataPath,
    scores: pl.DataFrame,
    recipes: Mapping[str, Recipe],
    *,
    embedded: bool,
    record: Record | None = None,
) -> str:
    """Write the ablation report of all recipes with scores to `path`, and return the page.

    Its record is written beside it as JSON.

    Args:
        path: path of the Markdown file; its folder is created.
        scores: rows of `benchmark_scores`.
        recipes: all recipes by name, for descriptions and baselines.
        embedded: whether an embedded model wrote or judged the captions.
        record: what was measured of the claims.
    """
    page = ablation_markdown(
        scores,
        baselines={r.name: r.baseline for r in recipes.values() if r.baseline},
        descriptions={r.name: r.description for r in recipes.values()},
        stand_in=STAND_IN if embedded else None,
        record=record,
    )
    write_text(path, page)
    if record is not None:
        write_text(path.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
    return page
