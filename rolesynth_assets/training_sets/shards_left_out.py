"""The shards with pairs that a manifest does not list: they are in no training set made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader


def shards_left_out(
    store: StoreReader, manifest: pl.DataFrame, role_set: str, version: int
) -> tuple[str, ...]:
    """Return the shards that have pairs and are not in a role set's manifest, sorted.

    Their partitions were deleted in Dagster, and nobody has dropped their pairs yet.

    Args:
        store: holds the pairs.
        manifest: the role set's rows of the small table ``manifests``.
        role_set: the role set.
        version: the Lance version of ``pairs`` that the manifest is pinned to.
    """
    stored = store.values("pairs", "shard", {"role_set": role_set}, version)
    return tuple(sorted(stored - set(manifest["shard"])))


def outside(shards: Sequence[str]) -> str | None:
    """Return the SQL predicate for the pairs of all other shards; None if none is left out."""
    return f"NOT ({any_key('shard', shards)})" if shards else None
