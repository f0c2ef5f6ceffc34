"""The diversity of a shard's captions as a row of the warehouse, and back for a role set."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields

import polars as pl

from rolesynth_assets.pairs.diversity import Diversity

_FIELDS = {f.name: pl.Int64 if f.type == "int" else pl.Float64 for f in fields(Diversity)}
_COUNTS = ("n_images", "n_groups", "n_captions")


def diversity_rows(found: Diversity | None, role_set: str, shard: str) -> pl.DataFrame:
    """Return the row of the warehouse table ``diversity``; none where nothing could be compared."""
    rows = [{"role_set": role_set, "shard": shard, **asdict(found)}] if found else []
    return pl.DataFrame(rows, schema={"role_set": pl.String, "shard": pl.String, **_FIELDS})


def diversity_of_shards(rows: pl.DataFrame, shards: Collection[str]) -> Diversity | None:
    """Put the measures of shards together: the mean over the groups of all of them.

    Args:
        rows: rows of the table ``diversity`` of one role set.
        shards: those to look at.

    Returns:
        The measures, or None where none of the shards has any.
    """
    chosen = rows.filter(pl.col("shard").is_in(list(shards)))
    if chosen.is_empty():
        return None
    share = pl.col("n_groups") / pl.col("n_groups").sum()
    values = chosen.select(
        *((pl.col(name) * share).sum() for name, kind in _FIELDS.items() if kind == pl.Float64),
        *(pl.col(name).sum() for name in _COUNTS),
        pl.col("draw_seed").first(),
    )
    return Diversity(**values.row(0, named=True))
