"""The overview: best scores, what the filter kept, what was spent, and what is stale."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.pictures.markdown import code, heading, table

if TYPE_CHECKING:
    import polars as pl


class Best(NamedTuple):
    """The best recipe on one metric of a benchmark, by the mean over its seeds.

    Attributes:
        benchmark: its name.
        metric: the metric.
        recipe: the recipe.
        value: mean over seeds, a share of 1.
        seeds: number of seeds.
    """

    benchmark: str
    metric: str
    recipe: str
    value: float
    seeds: int


def best_scores(scores: pl.DataFrame) -> list[Best]:
    """Find the best recipe on each metric of each benchmark.

    Args:
        scores: rows of `benchmark_scores` or `r1_scores`.
    """
    import polars as pl

    by = ["benchmark", "metric", "recipe"]
    means = scores.group_by(by).agg(pl.col("value").mean(), pl.col("seed").n_unique())
    order = {"benchmark": False, "metric": False, "value": True, "recipe": False}
    ordered = means.sort(*order, descending=[*order.values()])
    best = ordered.unique(["benchmark", "metric"], keep="first", maintain_order=True)
    found = [Best(*row) for row in best.select(*by, "value", "seed").iter_rows()]
    return sorted(found, key=lambda row: (row.benchmark, _by_number(row.metric)))


def _by_number(metric: str) -> list[tuple[str, int]]:
    """Return a key by which r5 comes before r10."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+)(\d*)", metric)]


def kept_shares(cutoffs: pl.DataFrame) -> dict[str, float]:
    """Return which share of its scored captions each role set kept, a share of 1.

    Args:
        cutoffs: rows of the small table `cutoffs`.
    """
    import polars as pl

    counts = cutoffs.group_by("role_set").agg(pl.col("kept", "candidates").sum()).sort("role_set")
    rows = counts.select("role_set", "kept", "candidates").iter_rows()
    return {role_set: kept / candidates for role_set, kept, candidates in rows if candidates}


def overview_page(
    best: list[Best], kept: dict[str, float], spent: Spent, stale: int, missing: int
) -> str:
    """Write the page.

    Args:
        best: the best scores.
        kept: kept share by role set.
        spent: what all models took so far.
        stale: stale partitions.
        missing: partitions that were never made.
    """
    scores = [
        (code(row.benchmark), row.metric, code(row.recipe), f"{row.value:.1%}", row.seeds)
        for row in best
    ]
    return "\n".join(
        [
            heading(1, "Overview"),
            "",
            f"- **{stale:,}** {'partition is' if stale == 1 else 'partitions are'} stale, "
            f"{missing:,} {'was' if missing == 1 else 'were'} never made.",
            f"- **{spent.cost:,.2f}** was spent by the project's prices, for {spent.calls:,} model "
            f"calls with {spent.prompt_tokens + spent.completion_tokens:,} tokens.",
            "",
            heading(2, "Best score on each benchmark"),
            "",
            table(("benchmark", "metric", "recipe", "mean over seeds", "seeds"), scores, "lllrr")
            if scores
            else "Nothing was scored yet.",
            "",
            heading(2, "Kept by the filter"),
            "",
            table(
                ("role set", "kept"),
                [(code(name), f"{share:.1%}") for name, share in kept.items()],
                "lr",
            )
            if kept
            else "Nothing was filtered yet.",
            "",
        ]
    )
