"""The manifest of a role set: the digests of its shards' pairs, pinned to a Lance version."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.pairs.cut import frames_of
from rolesynth_assets.store.left_out import EXCLUDED
from rolesynth_assets.store.shard_rows import ShardRows

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader


def manifest_rows(
    store: StoreReader, role_set: str, shards: Collection[str] | None = None
) -> pl.DataFrame:
    """Return the rows of the small table ``manifests``, one per shard, sorted by shard.

    Args:
        store: holds the pairs.
        role_set: role set of the pairs.
        shards: the shards there are, so that pairs of forgotten ones are left out; all if None.

    Raises:
        ValueError: the role set has no pairs.
    """
    pairs = ShardRows(store, "pairs", role_set, ["shard", "image_id", "kept"], shards)
    if not pairs.shards:
        raise ValueError(
            f"role set {role_set!r} has no pairs: materialize filtered_pairs for its shards first"
        )
    kept = pl.col("kept")
    counted = pl.concat(
        frame.group_by("shard").agg(
            kept.sum().cast(pl.Int64).alias("kept"),
            pl.len().cast(pl.Int64).alias("candidates"),
            pl.col("image_id").filter(kept).n_unique().cast(pl.Int64).alias("images"),
        )
        for frame in pairs
    )
    digests = list(pairs.digests().values())
    return counted.select(
        pl.lit(role_set).alias("role_set"),
        "shard",
        pl.Series("pairs_digest", digests, dtype=pl.String),
        pl.lit(pairs.version, dtype=pl.Int64).alias("pairs_version"),
        "kept",
        "candidates",
        "images",
    )


def pinned_version(manifest: pl.DataFrame, role_set: str) -> int:
    """Return the Lance version of ``pairs`` that a role set's manifest is pinned to.

    Args:
        manifest: the role set's rows of the small table ``manifests``.
        role_set: role set, for the message.

    Raises:
        ValueError: there is no manifest.
    """
    if manifest.is_empty():
        raise ValueError(
            f"role set {role_set!r} has no manifest: materialize pair_manifests[{role_set}] first "
            f"(`rolesynth run --role-set {role_set}`)"
        )
    return int(manifest["pairs_version"].max())  # type: ignore[arg-type]


def shards_with_exclusions(
    store: StoreReader, manifest: pl.DataFrame, role_set: str, columns: Sequence[str]
) -> ShardRows:
    """Return the pairs of those shards of a manifest in which a person excluded a caption.

    Args:
        store: holds the pairs.
        manifest: rows of the role set's manifest.
        role_set: the role set.
        columns: columns to read.
    """
    version = pinned_version(manifest, role_set)
    by_hand = f"reason = '{EXCLUDED}'"
    found = store.read("pairs", {"role_set": role_set}, ["shard"], by_hand, version)
    shards = set(manifest["shard"]).intersection(found["shard"].to_pylist())
    return ShardRows(store, "pairs", role_set, columns, shards, version)


def multiplicity(pairs: pl.DataFrame | Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Count the kept captions, and the images that have one, by role and length kind.

    Args:
        pairs: rows of the ``pairs`` table, in one frame or in several: image_id, role, length,
            kept.
    """
    group = ["role", "length", "image_id"]
    counted = [frame.filter("kept").group_by(group).len() for frame in frames_of(pairs)]
    return (
        pl.concat(counted)
        .group_by("role", "length")
        .agg(pl.col("len").sum().alias("captions"), pl.col("image_id").n_unique().alias("images"))
        .sort("role", "length")
    )
