"""Conversion of a shard's diversity to a row of a small table, and back for a role set."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.pairs.diversity import MEASURE, Diversity, measure_diversity
from rolesynth_assets.store.digests import digest, table_digest

if TYPE_CHECKING:
    from rolesynth_assets.store.small.tables import SmallTables

_FIELDS = {f.name: pl.Int64 if f.type == "int" else pl.Float64 for f in fields(Diversity)}
_COUNTS = ("n_images", "n_groups", "n_captions")
_TEXTS = ("image_id", "length", "text")
_SCHEMA = {
    "role_set": pl.String,
    "shard": pl.String,
    **_FIELDS,
    "texts_digest": pl.String,
}


def diversity_rows(
    found: Diversity | None, role_set: str, shard: str, texts_digest: str
) -> pl.DataFrame:
    """Return the row of the small table ``diversity``, or no row if `found` is None.

    Args:
        found: the measures of a shard's captions.
        role_set: role set of the captions.
        shard: image shard of the captions.
        texts_digest: `digest_of_texts` of the captions.
    """
    place = {"role_set": role_set, "shard": shard, "texts_digest": texts_digest}
    return pl.DataFrame([{**place, **asdict(found)}] if found else [], schema=_SCHEMA)


def digest_of_texts(captions: pl.DataFrame) -> str:
    """Digest the columns that diversity is measured on (``image_id``, ``length``, ``text``).

    The order of the rows does not matter.
    """
    return digest(MEASURE, table_digest(captions.select(_TEXTS).to_arrow(), _TEXTS))


def diversity_of_texts(rows: pl.DataFrame, texts_digest: str) -> Diversity | None:
    """Return a shard's stored measures, or None if they were measured on other captions.

    Args:
        rows: rows of the table ``diversity`` of one role set and shard.
        texts_digest: `digest_of_texts` of the captions.
    """
    same = rows.filter(pl.col("texts_digest") == texts_digest).select(*_FIELDS)
    return Diversity(**same.row(0, named=True)) if same.height else None


def diversity_of_shards(rows: pl.DataFrame, shards: Collection[str]) -> Diversity | None:
    """Combine the measures of several shards: the mean over all of their groups.

    Args:
        rows: rows of the table ``diversity`` of one role set.
        shards: names of the shards to combine.

    Returns:
        The measures, or None if none of the shards has any.
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


def keep_diversity(
    small: SmallTables, pairs: pl.DataFrame, shard: str, role_set: str
) -> Diversity | None:
    """Store the diversity of a shard's captions; they are measured only if their texts changed.

    A new cut keeps other captions and changes none.

    Args:
        small: holds ``diversity``.
        pairs: the shard's rows of the table ``pairs``.
        shard: image shard of the captions.
        role_set: role set of the captions.
    """
    where, texts = {"shard": shard, "role_set": role_set}, digest_of_texts(pairs)
    stored = diversity_of_texts(small.read("diversity", where), texts)
    found = stored or measure_diversity(pairs)
    small.replace("diversity", where, diversity_rows(found, role_set, shard, texts))
    return found
