"""The answers of people beside the scores of the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.review.labels import read_labels
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader

KEYS = 2_000
"""Captions looked up at once."""


def judged_labels(store: StoreReader, role_set: str) -> pl.DataFrame:
    """Return a role set's answers, each with the judge's present score of its caption.

    Returns:
        ``caption_id``, ``reviewer``, ``truth`` and ``score``, which is null where there is none.
    """
    import polars as pl

    labels = read_labels(store, role_set).select("caption_id", "shard", "reviewer", "truth")
    ids = labels["caption_id"].unique().sort().to_list()
    columns = {"caption_id": pl.String, "shard": pl.String, "score": pl.Int32}
    scores = [pl.DataFrame(schema=columns)]
    for start in range(0, len(ids), KEYS):
        asked = any_key("caption_id", ids[start : start + KEYS])
        scores.append(pl.DataFrame(store.read("scores", {"role_set": role_set}, [*columns], asked)))
    found = pl.concat(scores)
    return labels.join(found, on=["caption_id", "shard"], how="left").drop("shard")
