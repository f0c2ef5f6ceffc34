"""The upkeep of the tables: few files, indexes, no version that nothing needs.

Nothing here changes the content or the digest of a table.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import timedelta
from functools import partial

from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.lance.maintenance import versions
from rolesynth_assets.store.lance.maintenance.compaction import (
    compact_step,
    fold_small_files,
    rewrite_without_deleted,
)
from rolesynth_assets.store.lance.maintenance.indexes import (
    UNINDEXED_ROWS,
    index_column,
    indexed_columns,
    most_unindexed,
)
from rolesynth_assets.store.lance.maintenance.state import TableState, table_state
from rolesynth_assets.store.lance.reader import StoreReader
from rolesynth_assets.store.lance.schemas import table_spec
from rolesynth_assets.store.lance.specification import TableSpec
from rolesynth_assets.store.lance.writing.commits import committed
from rolesynth_assets.store.locks import writer_lock

FOLD_PATIENCE_S = 10.0  # folding is for speed alone, and the next run does it as well
_log = logging.getLogger(__name__)


class StoreUpkeep(StoreReader):
    """The part of the store that keeps the files of its tables in order."""

    def fold(self, table: str) -> None:
        """Merge the micro-batches of many appends, where there are many.

        It belongs to no append, and its failure is a warning: what was committed stays so.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            try:
                committed(table, lambda: self._fold_once(spec), FOLD_PATIENCE_S)
            except (OSError, RuntimeError, StoreError) as error:
                _log.warning("Table %r: its small files are not merged yet (%s).", table, error)

    def _fold_once(self, spec: TableSpec) -> None:
        if (dataset := self._files.open(spec)) is not None:
            fold_small_files(spec, dataset)

    def compact(self, table: str) -> None:
        """Merge all small files, and index ids, foreign keys and partitions.

        Writers wait for a part of it at a time. Old versions stay readable.
        """
        self._merge_files(table_spec(table))
        self._index(table_spec(table), unindexed=0)

    def state(self, table: str) -> TableState | None:
        """Return the state of a table's files; None if it was never written to."""
        spec = table_spec(table)
        dataset = self._files.open(spec)
        return None if dataset is None else table_state(spec, dataset)

    def maintain(self, table: str) -> TableState | None:
        """Do what is due: merge small files, index columns, remove versions that nothing needs.

        Readers keep a version for an hour after the next one was
        written, and writers wait for a part of the work at a time.

        Returns:
            The state before; None if the table was never written to.
        """
        spec, state = table_spec(table), self.state(table)
        if state is None:
            return None
        if state.compaction_due:
            self._merge_files(spec)
        self._index(spec, most_unindexed(state.rows))
        if state.clean_up_due:
            dataset = self._files.open(spec)
            assert dataset is not None
            versions.clean_up(dataset)
        return state

    def keep_version(self, table: str, version: int) -> None:
        """Keep a version through every clean-up, until it is released; 0 is no version.

        Raises:
            MissingVersionError: the version was cleaned up.
        """
        dataset = self._files.open(table_spec(table))
        if dataset is not None and version:
            versions.keep(dataset, version)

    def release_versions(self, table: str, needed: Collection[int], *, now: bool = False) -> None:
        """Let the next clean-up remove the kept versions that are not needed any more.

        Args:
            table: table name.
            needed: versions that something refers to.
            now: whether to release those too that were kept within the last day, to which something
                in the making may refer.
        """
        dataset = self._files.open(table_spec(table))
        if dataset is not None:
            after = timedelta(0) if now else versions.PINNED_SOON
            versions.release(dataset, needed, after)

    def index_keys(self, table: str, unindexed: int = UNINDEXED_ROWS) -> None:
        """Bring the index on the key column up to date, if more rows than `unindexed` lack it.

        A look-up of keys then reads the index and at most that many rows.
        """
        spec = table_spec(table)
        self._index(spec, unindexed, [spec.key])

    def drop_deleted(self, table: str) -> int:
        """Rewrite the files with deleted rows, so that the latest version does not contain them.

        Returns:
            The latest version, whose content equals that of the version before.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            committed(table, lambda: self._drop_once(spec))
        return self.version(table)

    def _drop_once(self, spec: TableSpec) -> None:
        if (dataset := self._files.open(spec)) is not None:
            rewrite_without_deleted(dataset)

    def forget_versions(self, table: str) -> int:
        """Remove all versions but the latest and the kept ones (`keep_version`).

        Returns:
            Number of bytes removed from the disk.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is None:
                return 0
            return versions.forget_earlier(dataset, alone=not self._in_bucket)

    def _merge_files(self, spec: TableSpec) -> None:
        """Merge small files, and give the writer lock back after each part."""
        more = True
        while more:
            with writer_lock(self.root, spec.name):
                more = committed(spec.name, lambda: self._compact_once(spec))

    def _compact_once(self, spec: TableSpec) -> bool:
        dataset = self._files.open(spec)
        return dataset is not None and compact_step(spec, dataset)

    def _index(
        self, spec: TableSpec, unindexed: int, columns: Collection[str] | None = None
    ) -> None:
        """Index columns of which more rows than `unindexed` lack it, one at a time."""
        for column in indexed_columns(spec) if columns is None else columns:
            with writer_lock(self.root, spec.name):
                committed(spec.name, partial(self._index_once, spec, column, unindexed))

    def _index_once(self, spec: TableSpec, column: str, unindexed: int) -> None:
        if (dataset := self._files.open(spec)) is not None:
            index_column(spec, dataset, column, unindexed)
