"""Which queries two sides find, from the ranks that are stored of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Any

from rolesynth_assets.benchmarks.query_ranks import ranking_id
from rolesynth_assets.browse.compare.view import Side
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

_LISTED = ("recipe", "benchmark", "seed", "direction")


@dataclass(frozen=True)
class Ranked:
    """What was ranked: recipe, benchmark, seed and direction of each."""

    rows: tuple[tuple[str, str, int, str], ...]

    @property
    def benchmarks(self) -> list[str]:
        """Benchmarks with rankings, sorted."""
        return sorted({benchmark for _, benchmark, _, _ in self.rows})

    def directions(self, benchmark: str) -> list[str]:
        """Directions of a benchmark, that from texts first."""
        return sorted({row[3] for row in self.rows if row[1] == benchmark}, reverse=True)

    def sides(self, benchmark: str) -> list[Side]:
        """Recipes measured on a benchmark, each with its checkpoints if it has several."""
        found = []
        for recipe in sorted({row[0] for row in self.rows if row[1] == benchmark}):
            seeds = sorted({row[2] for row in self.rows if row[:2] == (recipe, benchmark)})
            found.append(Side(recipe))
            found += [Side(recipe, seed) for seed in seeds] if len(seeds) > 1 else []
        return found


@dataclass(frozen=True)
class Outcome:
    """How often each side finds what is looked for.

    Attributes:
        queries: queries that both sides have.
        only_a, only_b, both, neither: queries by who finds them.
    """

    queries: int
    only_a: int
    only_b: int
    both: int
    neither: int

    @property
    def shares(self) -> tuple[float, float]:
        """Shares of the queries that A and that B finds."""
        n = max(1, self.queries)
        return (self.only_a + self.both) / n, (self.only_b + self.both) / n

    @property
    def chance(self) -> float:
        """The chance of a difference at least as large if both sides were equally good.

        The exact sign test on the queries that one side alone finds (McNemar).
        """
        n, least = self.only_a + self.only_b, min(self.only_a, self.only_b)
        tail = sum(comb(n, k) for k in range(least + 1))
        return min(1.0, 2 * tail / 2**n)


def ranked(store: StoreReader) -> Ranked:
    """Return what was ranked."""
    import polars as pl

    rows = pl.DataFrame(store.read("rankings", None, _LISTED)).unique()
    return Ranked(tuple(rows.select(_LISTED).iter_rows()))


def compared(
    store: StoreReader, benchmark: str, direction: str, a: Side, b: Side, at: int
) -> pl.DataFrame:
    """Join the ranks of two sides, query by query.

    Args:
        store: the tables.
        benchmark: the benchmark.
        direction: what is looked for with what.
        a: one side.
        b: the other side.
        at: rank up to which a query counts as found.

    Returns:
        ``query``, ``image``, ``text``, ``rank_a``, ``rank_b``, the seeds whose ranks these are
        (``seed_a``, ``seed_b``), and ``found``: "won" if only B finds it, "lost" if only A does,
        "both" or "neither". The largest differences come first.
    """
    import polars as pl

    sides = [_of_side(store, benchmark, direction, side) for side in (a, b)]
    of_b = sides[1].select("query", pl.col("rank", "seed").name.suffix("_b"))
    joined = sides[0].rename({"rank": "rank_a", "seed": "seed_a"}).join(of_b, on="query")
    by_a, by_b = pl.col("rank_a") <= at, pl.col("rank_b") <= at
    found = (
        pl.when(by_a & by_b)
        .then(pl.lit("both"))
        .when(by_b)
        .then(pl.lit("won"))
        .when(by_a)
        .then(pl.lit("lost"))
        .otherwise(pl.lit("neither"))
    )
    apart = (pl.col("rank_a").log() - pl.col("rank_b").log()).abs()
    return (
        joined.with_columns(found.alias("found"), apart.alias("apart"))
        .sort("apart", "query", descending=[True, False])
        .drop("apart")
    )


def outcome(frame: pl.DataFrame) -> Outcome:
    """Count the queries of `compared` by who finds them."""
    n = dict(frame.group_by("found").len().iter_rows())
    return Outcome(
        frame.height,
        only_a=n.get("lost", 0),
        only_b=n.get("won", 0),
        both=n.get("both", 0),
        neither=n.get("neither", 0),
    )


def top_of(
    store: StoreReader, benchmark: str, direction: str, side: Side, asked: Mapping[int, int]
) -> dict[int, list[dict[str, Any]]]:
    """Return the first candidates of some queries, by query.

    Args:
        store: the tables.
        benchmark: the benchmark.
        direction: what is looked for with what.
        side: whose ranking.
        asked: the seed by query.
    """
    ids = [ranking_id(seed, direction, query) for query, seed in asked.items()]
    where = {"recipe": side.recipe, "benchmark": benchmark}
    rows = store.read("rankings", where, ["query", "top"], any_key("ranking_id", ids))
    return {row["query"]: json.loads(row["top"]) for row in rows.to_pylist()}


def _of_side(store: StoreReader, benchmark: str, direction: str, side: Side) -> pl.DataFrame:
    import polars as pl

    columns = ["query", "image", "text", "rank", "seed"]
    where = f"direction = '{direction}'" + ("" if side.seed is None else f" AND seed = {side.seed}")
    partition = {"recipe": side.recipe, "benchmark": benchmark}
    rows = pl.DataFrame(store.read("rankings", partition, columns, where))
    # of several seeds that which has the lower median: a rank that one of them really gave
    return (
        rows.sort("query", "rank", "seed")
        .group_by("query", maintain_order=True)
        .agg(pl.all().get((pl.len() - 1) // 2))
    )
