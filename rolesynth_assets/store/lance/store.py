"""The store: the only code that writes the LanceDB tables.

Every write is one Lance commit, so a reader sees a partition as it was before or as it is after,
and a process killed in between leaves nothing but unreferenced files. Versions are kept: a
training set records the version that it read, and can read it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from rolesynth_assets.store.errors import EmptyReplaceError
from rolesynth_assets.store.lance.changes import find_changes
from rolesynth_assets.store.lance.compaction import (
    compact_and_index,
    fold_small_files,
    forget_earlier_versions,
    rewrite_without_deleted,
)
from rolesynth_assets.store.lance.locks import writer_lock
from rolesynth_assets.store.lance.plans import Plan, make_plan
from rolesynth_assets.store.lance.reader import KEYS_PER_LOOKUP, Partition, StoreReader
from rolesynth_assets.store.lance.rows import (
    all_of,
    any_key,
    checked_rows,
    partition_predicate,
    whole_partition,
)
from rolesynth_assets.store.lance.schemas import TableSpec, table_spec


class Store(StoreReader):
    """The Lance tables under one data root, as listed in `schemas.TABLES`, to read and write."""

    def __init__(self, root: str | Path) -> None:
        """Open the store; see `StoreReader`."""
        super().__init__(root)
        self._known: dict[str, tuple[int, dict[str, str], set[str]]] = {}

    def plan(
        self,
        table: str,
        partition: Partition,
        wanted: Sequence[str],
        *,
        retry: str | None = None,
    ) -> Plan:
        """Join wanted keys against stored ones: what to make, what to copy, what to remove.

        Args:
            table: Table name.
            partition: The one partition to bring up to date.
            wanted: Keys that it shall hold; a repeated key counts once.
            retry: SQL predicate for stored rows that count as missing, such as
                "reason IN ('timeout')". Such rows are neither kept nor copied.

        Returns:
            The plan. Carrying it out is `append(plan.reuse)`, `append` of whatever was made for
            `plan.missing`, and `prune` to `wanted`.
        """
        spec = table_spec(table)
        return make_plan(
            spec, whole_partition(spec, partition), wanted, retry, dataset=self._files.open(spec)
        )

    def append(self, table: str, partition: Partition, rows: pa.Table) -> None:
        """Add rows to a partition in one commit; a row whose key is there replaces it.

        So the same micro-batch can be written twice. Nothing is committed for zero rows.

        Raises:
            SchemaMismatchError: The rows do not fit the table.
            DuplicateKeyError: A key occurs twice in `rows`.
            StoreError: The rows are of another partition, or another writer does not finish.
        """
        spec, partition, rows = self._checked(table, partition, rows)
        if not rows.num_rows:
            return
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is None:
                self._files.create(spec, rows)
                return
            known = self._known_keys(spec, partition, dataset.version)
            added = rows[spec.key].to_pylist()
            if known.isdisjoint(added):
                # no join is needed, so the cost does not grow with the table
                dataset = self._files.extend(dataset, rows)
            else:
                builder = dataset.merge_insert([spec.key, *spec.partition_by])
                builder.when_matched_update_all().when_not_matched_insert_all().execute(rows)
            fold_small_files(spec, dataset)
            known.update(added)
            self._known[table] = (dataset.version, partition, known)

    def replace(
        self, table: str, partition: Partition, rows: pa.Table, *, allow_empty: bool = False
    ) -> None:
        """Make `rows` the whole content of a partition, in one commit.

        A reader sees all of the old rows or all of the new ones. Only rows that differ are
        written; nothing is committed when there are none.

        Args:
            table: Table name.
            partition: The one partition to replace.
            rows: All rows that it shall hold.
            allow_empty: Whether zero rows are meant.

        Raises:
            EmptyReplaceError: There are no rows, and `allow_empty` was not given.
            SchemaMismatchError: The rows do not fit the table.
            DuplicateKeyError: A key occurs twice in `rows`.
        """
        spec, partition, rows = self._checked(table, partition, rows)
        if not rows.num_rows and not allow_empty:
            raise EmptyReplaceError(
                f"Table {table!r}, partition {partition!r}: zero rows would wipe what we have "
                f"({self.count(table, partition)} rows). If that is meant, pass allow_empty=True; "
                "otherwise look at the source."
            )
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is None:
                self._files.create(spec, rows)
                return
            changes = find_changes(spec, partition, rows, dataset)
            if not changes:
                return
            few = len(changes.gone) <= KEYS_PER_LOOKUP
            doomed = any_key(spec.key, changes.gone) if few and changes.gone else None
            builder = dataset.merge_insert([spec.key, *spec.partition_by])
            builder.when_matched_update_all().when_not_matched_insert_all()
            if changes.gone:
                builder.when_not_matched_by_source_delete(
                    all_of(partition_predicate(spec, partition), doomed)
                )
            builder.execute(changes.rows if few else rows)
            fold_small_files(spec, dataset)

    def prune(self, table: str, partition: Partition, keep: Sequence[str]) -> int:
        """Delete the rows of a partition whose key is not in `keep`, in one commit.

        Returns:
            The number of rows deleted; when it is 0 nothing was committed.
        """
        spec = table_spec(table)
        partition = whole_partition(spec, partition)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            unwanted = sorted(self.keys(table, partition).difference(keep))
            if dataset is None or not unwanted:
                return 0
            doomed = {spec.key: unwanted} | {
                column: [value] * len(unwanted) for column, value in partition.items()
            }
            # a join, not an IN list: a hundred thousand keys make a slow SQL text
            builder = dataset.merge_insert([spec.key, *spec.partition_by])
            done = builder.when_matched_delete().execute(
                pa.table(doomed, schema=pa.schema([spec.schema.field(name) for name in doomed]))
            )
            return done["num_deleted_rows"]

    def compact(self, table: str) -> None:
        """Merge the small files of many appends and index the key and partition columns.

        Content and digests stay the same, and old versions stay readable.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is None:
                return
            compact_and_index(spec, dataset)

    def remove(self, table: str, where: str) -> int:
        """Delete the rows of all partitions for which a SQL predicate holds, in one commit.

        Earlier versions still hold them; see `forget_versions`.

        Returns:
            The number of rows deleted; when it is 0 nothing was committed.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is None or not dataset.count_rows(where):
                return 0
            return dataset.delete(where)["num_deleted_rows"]

    def drop_deleted(self, table: str) -> int:
        """Rewrite the files that hold deleted rows, so that the latest version has none.

        Returns:
            That version, with the same content as the one before it.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is not None:
                rewrite_without_deleted(dataset)
        return self.version(table)

    def forget_versions(self, table: str) -> int:
        """Remove every version but the latest; pins to them are lost, their readers fail.

        Returns:
            Bytes taken off the disk.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            return 0 if dataset is None else forget_earlier_versions(dataset)

    def _known_keys(self, spec: TableSpec, partition: dict[str, str], version: int) -> set[str]:
        """The keys of a partition, remembered while this store alone writes to the table.

        Call it under the writer lock: whoever else has written since has raised the version.
        """
        known = self._known.get(spec.name)
        if known is not None and known[:2] == (version, partition):
            return known[2]
        return self.keys(spec.name, partition)

    def _checked(
        self, table: str, partition: Partition, rows: pa.Table
    ) -> tuple[TableSpec, dict[str, str], pa.Table]:
        spec = table_spec(table)
        whole = whole_partition(spec, partition)
        return spec, whole, checked_rows(spec, whole, rows)
