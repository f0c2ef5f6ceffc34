"""Synchronisation of one shard's rows in the store with its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.images.ingest import IngestReport, ingest_batches
from rolesynth_assets.images.limits import InputLimits
from rolesynth_assets.images.shards.registry import load_shards
from rolesynth_assets.store.tombstones import read_tombstones
from rolesynth_assets.store.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store


class UnknownShardError(ValueError):
    """A shard key has no registered source."""


def sync_shard(
    store: Store,
    data_root: Path,
    shard: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    limits: InputLimits | None = None,
) -> IngestReport:
    """Read a shard's files into `images` and `image_rejects`, and remove rows of missing files.

    Batches are stored as they come, so memory stays bounded and the next run completes a killed
    one. Withdrawn images are refused as long as their tombstone exists.

    Raises:
        UnknownShardError: the shard was never registered.
        OSError: its source cannot be read.
    """
    known = load_shards(data_root)
    if shard not in known:
        raise UnknownShardError(
            f"Shard {shard!r} has no registered source under {DataPaths(data_root).shards}; "
            f"register one with `rolesynth ingest PATH`. Registered: {sorted(known) or 'none'}."
        )
    partition = {"shard": shard}
    report = IngestReport(shard)
    seen: dict[str, list[str]] = {"images": [], "image_rejects": []}
    tombstones = read_tombstones(Warehouse(DataPaths(data_root).warehouse))
    withdrawn = {image: tombstone.says for image, tombstone in tombstones.items()}
    limits = limits or InputLimits()
    for batch in ingest_batches(
        known[shard],
        limits.image,
        progress=progress,
        withdrawn=withdrawn,
        container=limits.container,
    ):
        store.append("images", partition, batch.images)
        store.append("image_rejects", partition, batch.rejects)
        seen["images"] += batch.images["image_id"].to_pylist()
        seen["image_rejects"] += batch.rejects["reject_id"].to_pylist()
        report.add(batch)
    for table, keys in seen.items():
        store.prune(table, partition, keys)
    return report
