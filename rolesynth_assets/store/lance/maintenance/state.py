"""The state of a Lance table's files, and what of it is to be put in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.store.lance.datasets import bytes_on_disk
from rolesynth_assets.store.lance.maintenance.compaction import (
    DELETED_SHARE,
    FOLD_FILES,
    file_bytes,
    small_files,
)
from rolesynth_assets.store.lance.maintenance.indexes import most_unindexed, unindexed_rows
from rolesynth_assets.store.lance.maintenance.versions import kept, superseded
from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance

DELETED_ROWS = 20_000
"""Deleted rows that a table may have in its files, whatever its size."""
SPARE_VERSIONS = 64
"""Versions without a use that are left: a clean-up of fewer is not worth its time."""


@dataclass(frozen=True)
class TableState:
    """One table's files.

    Attributes:
        table: its name.
        rows: rows of the latest version.
        live_bytes: size of the files of the latest version, indexes left out.
        disk_bytes: size of all files of the table, those of earlier versions included.
        version: latest version.
        versions: versions that can be read.
        pinned: versions that a tag keeps.
        superseded: versions that nothing needs.
        files: files of rows of the latest version.
        small_files: those that a compaction would merge.
        deleted_rows: rows that are deleted but still in the files.
        indexed: columns with an index.
        unindexed_rows: the most rows that a look-up by an id or a partition has to scan.
    """

    table: str
    rows: int
    live_bytes: int
    disk_bytes: int
    version: int
    versions: int
    pinned: int
    superseded: int
    files: int
    small_files: int
    deleted_rows: int
    indexed: tuple[str, ...]
    unindexed_rows: int

    @property
    def compaction_due(self) -> bool:
        """Whether there are so many small files or deleted rows that reading is slow."""
        most_deleted = max(DELETED_ROWS, DELETED_SHARE * self.rows)
        return self.small_files >= FOLD_FILES or self.deleted_rows > most_deleted

    @property
    def indexing_due(self) -> bool:
        """Whether a look-up scans many rows."""
        return self.unindexed_rows > most_unindexed(self.rows)

    @property
    def clean_up_due(self) -> bool:
        """Whether many versions are of no use."""
        return self.superseded > SPARE_VERSIONS

    @property
    def due(self) -> list[str]:
        """What is to be done, in words; empty if nothing is."""
        work = {
            "compact": self.compaction_due,
            "index": self.indexing_due,
            "remove versions": self.clean_up_due,
        }
        return [name for name, needed in work.items() if needed]


def table_state(spec: TableSpec, dataset: lance.LanceDataset) -> TableState:
    """Look at a table; its rows are not read."""
    files, listed, held = dataset.get_fragments(), dataset.versions(), kept(dataset)
    return TableState(
        table=spec.name,
        rows=dataset.count_rows(),
        live_bytes=files_bytes(dataset),
        disk_bytes=bytes_on_disk(dataset.uri),
        version=dataset.version,
        versions=len(listed),
        pinned=len(held),
        superseded=len(superseded(listed, held)),
        files=len(files),
        small_files=len(small_files(spec, dataset)),
        deleted_rows=sum(file.num_deletions for file in files),
        indexed=tuple(sorted(index.field_names[0] for index in dataset.describe_indices())),
        unindexed_rows=max(unindexed_rows(spec, dataset).values()),
    )


def files_bytes(dataset: lance.LanceDataset) -> int:
    """Return the size of the files of rows of a data set's version."""
    return sum(map(file_bytes, dataset.get_fragments()))
