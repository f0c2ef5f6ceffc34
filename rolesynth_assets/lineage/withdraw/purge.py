"""Purge of withdrawn images, which removes earlier Lance versions and so their bytes on disk.

Pins to versions of the purged tables are moved to the remaining version if it has the same rows. No
refresh may run at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rolesynth_assets.cads.round.calls.journal import Forgotten, Journal
from rolesynth_assets.clip.checkpoint.recorded_trainings import read_trainings
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import drop_file
from rolesynth_assets.lineage.withdraw.artefacts import ArtefactKind
from rolesynth_assets.lineage.withdraw.byte_search import (
    files_with,
)
from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal
from rolesynth_assets.mllm.rows.batch_ledger import left_files
from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.training_sets.pins import Pin, pinned_rows, read_pins, write_pin

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables


@dataclass(frozen=True)
class Purge:
    """The result of a purge.

    Attributes:
        freed: bytes removed from the disk, by table.
        moved: recipes whose training sets are now pinned to the remaining version.
        lost: recipes whose pinned rows can no longer be listed.
        references: checkpoints whose stored reference pixels were deleted.
        forgotten: numbers of drawings and replies removed from the journals.
        before: files that held a part of the images' bytes.
        after: files that still hold a part; they are reported, not deleted.
    """

    freed: Mapping[str, int]
    moved: tuple[str, ...]
    lost: tuple[str, ...]
    references: tuple[str, ...]
    forgotten: Forgotten
    before: tuple[DataPath, ...]
    after: tuple[DataPath, ...]


def purge(
    store: Store,
    small: SmallTables,
    data_root: DataPath,
    withdrawal: Withdrawal,
    needles: Sequence[bytes],
    journals: Sequence[DataPath] = (),
) -> Purge:
    """Remove withdrawn images from the disk: from tables, journals and checkpoints.

    Args:
        store: the Lance tables.
        small: the small tables.
        data_root: folder that is searched for remaining parts of the images.
        withdrawal: the withdrawal; its rows are no longer in the latest versions.
        needles: pieces of the images from `image_needles`, for the search.
        journals: journals, which keep replies and drawings.
    """
    tables = withdrawal.named(ArtefactKind.TABLE)
    before = files_with(data_root, needles)
    withdrawn = [stone.image_id for stone in withdrawal.tombstones]
    forgotten = [_forget(path, withdrawn) for path in journals]
    for path in left_files(data_root):
        path.unlink(missing_ok=True)
    references = _drop_references(store, small, data_root, withdrawal)
    left = {table: store.drop_deleted(table) for table in tables}
    moved, lost = _move_pins(store, small, left)
    for table, version in left.items():
        store.release_versions(table, {version}, now=True)
    freed = {table: store.forget_versions(table) for table in tables}
    return Purge(
        freed=freed,
        moved=tuple(moved),
        lost=tuple(lost),
        references=tuple(references),
        forgotten=Forgotten(
            drawings=sum(one.drawings for one in forgotten),
            replies=sum(one.replies for one in forgotten),
        ),
        before=tuple(before),
        after=tuple(files_with(data_root, needles)),
    )


def _forget(path: DataPath, image_ids: Sequence[str]) -> Forgotten:
    with Journal(path) as journal:
        return journal.forget_images(image_ids)


def _move_pins(
    store: Store, small: SmallTables, left: Mapping[str, int]
) -> tuple[list[str], list[str]]:
    """Pin training sets to the remaining versions; return recipes moved and lost."""
    moved, lost = set(), set()
    for pin in read_pins(small):
        if "pairs" in left and not _same_rows(store, pin, left["pairs"]):
            lost.add(pin.recipe)
            continue
        if left.keys() & pin.versions.keys():
            at = {table: left.get(table, version) for table, version in pin.versions.items()}
            write_pin(store, small, replace(pin, versions=at))
            moved.add(pin.recipe)
        if "pairs" in left:
            _set_version(small, "training_sets", "digest", pin.digest, left["pairs"])
    if "pairs" in left:
        for role_set in set(small.read("manifests")["role_set"]):
            if _manifest_stands(store, small, role_set, left["pairs"]):
                store.keep_version("pairs", left["pairs"])
                _set_version(small, "manifests", "role_set", role_set, left["pairs"])
    return sorted(moved), sorted(lost)


def _same_rows(store: StoreReader, pin: Pin, version: int) -> bool:
    try:
        then, now = pinned_rows(store, pin), pinned_rows(store, pin, version)
    except MissingVersionError:
        return False
    return then.select("caption_id").equals(now.select("caption_id"))


def _manifest_stands(store: StoreReader, small: SmallTables, role_set: str, version: int) -> bool:
    rows = small.read("manifests", {"role_set": role_set}).to_dicts()
    return all(
        row["pairs_digest"]
        == store.digest("pairs", {"shard": row["shard"], "role_set": role_set}, version)
        for row in rows
    )


def _set_version(small: SmallTables, table: str, column: str, value: str, version: int) -> None:
    import polars as pl

    rows = small.read(table, {column: value})
    at = pl.lit(version, dtype=pl.Int64).alias("pairs_version")
    small.replace(table, {column: value}, rows.with_columns(at))


def _drop_references(
    store: StoreReader, small: SmallTables, data_root: DataPath, withdrawal: Withdrawal
) -> Iterable[str]:
    """Delete the reference pixels of checkpoints that show a withdrawn image.

    They are decoded images for the reload check; the checkpoint can be loaded without them.
    """
    from rolesynth_assets.clip.checkpoint.files import REFERENCE

    marked = {a.digest for a in withdrawal.artefacts if a.kind is ArtefactKind.CHECKPOINT}
    dropped = []
    for training in read_trainings(small, data_root):
        if training.weights_digest in marked and training.folder is not None:
            if drop_file(training.folder, REFERENCE):
                dropped.append(training.key)
    return dropped
