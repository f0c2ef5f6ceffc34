"""Synchronisation of one shard's rows in the store with its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind
from rolesynth_assets.images.duplicates import elsewhere, first_wins, newest_wins
from rolesynth_assets.images.ingest import IngestReport, ingest_batches
from rolesynth_assets.images.ingest_rows import IngestBatch
from rolesynth_assets.images.limits import InputLimits, limits_in_use
from rolesynth_assets.images.missing import MissingFiles, require_source
from rolesynth_assets.images.rules import IngestRules
from rolesynth_assets.images.shards.locks import reading_images
from rolesynth_assets.images.shards.portable import base_of, relative
from rolesynth_assets.images.shards.registry import load_shards
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import read_tombstones

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store


class UnknownShardError(ValueError):
    """A shard key has no registered source."""


def sync_shard(
    store: Store,
    data_root: DataPath,
    shard: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    limits: InputLimits | None = None,
    rules: IngestRules | None = None,
) -> IngestReport:
    """Read a shard's files into `images` and `image_rejects`, and remove rows of replaced files.

    Batches are stored as they come, so memory stays bounded and the next run completes a killed
    one. Withdrawn images are refused as long as their tombstone exists. Rows of missing files are
    kept for a time of grace, and a shard whose whole source is gone is not changed at all. While
    another process reads images in, this one waits.

    Raises:
        UnknownShardError: the shard was never registered.
        SourceGoneError: its folder, tar or table does not exist.
        OSError: its source cannot be read.
    """
    known = load_shards(data_root)
    if shard not in known:
        raise UnknownShardError(
            f"Shard {shard!r} has no registered source under {DataPaths(data_root).shards}; "
            f"register one with `rolesynth ingest PATH`. Registered: {sorted(known) or 'none'}."
        )
    require_source(known[shard])
    limits, rules = limits or limits_in_use(), rules or IngestRules()
    with reading_images(data_root, f"shard {shard}"):
        return _synchronise(store, data_root, known[shard], progress, limits, rules)


def _synchronise(
    store: Store,
    data_root: DataPath,
    shard: ShardDescriptor,
    progress: Callable[[int, int], None] | None,
    limits: InputLimits,
    rules: IngestRules,
) -> IngestReport:
    sync = _Sync(store, data_root, shard, rules)
    tombstones = read_tombstones(SmallTables(data_root))
    for batch in ingest_batches(
        shard,
        limits.image,
        progress=progress,
        withdrawn={image: tombstone.says for image, tombstone in tombstones.items()},
        container=limits.container,
        base=base_of(data_root),
    ):
        sync.add(batch)
    return sync.finish()


class _Sync:
    """One synchronisation: what the shard had before, and what has been read so far."""

    def __init__(
        self, store: Store, data_root: DataPath, shard: ShardDescriptor, rules: IngestRules
    ) -> None:
        self._store, self._shard, self._policy = store, shard.key, rules.duplicates
        self._partition = {"shard": shard.key}
        store.index_keys("images")
        rows = store.read("images", self._partition, ["image_id", "source"]).to_pylist()
        rejects = store.read(
            "image_rejects", self._partition, ["source", "reason", "detail"]
        ).to_pylist()
        base = base_of(data_root)
        self._base = base
        self._own = {row["image_id"] for row in rows}
        self._lost = {
            row["source"] for row in rejects if row["reason"] == str(RejectReason.DUPLICATE)
        }
        images = {relative(row["source"], base): row["image_id"] for row in rows}
        container = None if shard.kind is ShardKind.FOLDER else relative(shard.uri, base)
        self._missing = MissingFiles(images, rejects, rules.missing_grace_days, container)
        self._report = IngestReport(shard.key)
        self._seen: dict[str, list[str]] = {"images": [], "image_rejects": []}

    def add(self, batch: IngestBatch) -> None:
        """Store what was read."""
        batch = self._without_duplicates(batch)
        batch = IngestBatch(batch.images, self._missing.look_through(batch.rejects))
        self._store.append("images", self._partition, batch.images)
        self._store.append("image_rejects", self._partition, batch.rejects)
        ids = batch.images["image_id"].to_pylist()
        self._seen["images"] += ids
        self._seen["image_rejects"] += batch.rejects["reject_id"].to_pylist()
        self._report.elsewhere += len(elsewhere(self._store, self._shard, ids))
        self._report.add(batch)

    def finish(self) -> IngestReport:
        """Remove the rows of what was not read, and return the counts."""
        kept = set(self._missing.kept) - set(self._seen["images"])
        self._report.kept_missing = len(kept)
        self._seen["images"] += sorted(kept)
        for table, keys in self._seen.items():
            self._store.prune(table, self._partition, keys)
            self._store.fold(table)
        return self._report

    def _without_duplicates(self, batch: IngestBatch) -> IngestBatch:
        if self._policy == "first":
            return first_wins(self._store, self._shard, batch, self._own, self._base)
        if self._policy == "newest":
            return newest_wins(self._store, self._shard, batch, self._own, self._lost)
        return batch
