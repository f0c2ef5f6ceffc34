"""The store, which is the only code that writes the LanceDB tables.

Every write is one Lance commit, so a reader sees a partition either before or after it, and a
process that is killed in between leaves nothing but unreferenced files. Versions are kept: a
training set records the version that it read, and can read it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.store.errors import EmptyReplaceError
from rolesynth_assets.store.lance.changes import find_changes
from rolesynth_assets.store.lance.maintenance.upkeep import StoreUpkeep
from rolesynth_assets.store.lance.overtaken import drop_repeated
from rolesynth_assets.store.lance.plans import Plan, make_plan
from rolesynth_assets.store.lance.reader import KEYS_PER_LOOKUP, Partition
from rolesynth_assets.store.lance.rows import (
    all_of,
    any_key,
    checked_rows,
    partition_predicate,
    sql_quoted,
    whole_partition,
)
from rolesynth_assets.store.lance.schemas import TABLES, table_spec
from rolesynth_assets.store.lance.specification import TableSpec
from rolesynth_assets.store.locks import writer_lock

if TYPE_CHECKING:
    import lance


class Store(StoreUpkeep):
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
        """Join wanted keys with stored keys to find the rows to make, to copy and to remove.

        Args:
            table: table name.
            partition: the one partition to bring up to date.
            wanted: keys that it should hold; a repeated key counts once.
            retry: a SQL predicate for stored rows that count as missing, such as
                "reason IN ('timeout')". Such rows are neither kept nor copied.

        Returns:
            The plan. To carry it out, call `append(plan.reuse)`, `append` with the rows made for
            `plan.missing`, and `prune` with `wanted`.
        """
        spec = table_spec(table)
        return make_plan(
            spec, whole_partition(spec, partition), wanted, retry, dataset=self._files.open(spec)
        )

    def append(self, table: str, partition: Partition, rows: pa.Table) -> None:
        """Add rows to a partition in one commit, replacing stored rows with the same keys.

        The same micro-batch can therefore be written twice. Zero rows make no commit.

        Raises:
            SchemaMismatchError: the rows do not fit the table.
            DuplicateKeyError: a key occurs twice in `rows`.
            StoreError: the rows are of another partition, or another writer does not finish.
        """
        spec, partition, rows = self._checked(table, partition, rows)
        if not rows.num_rows:
            return
        with writer_lock(self.root, table):
            if (dataset := self._opened(spec, rows)) is None:
                return
            before = dataset.version
            known = self._known_keys(spec, partition, before)
            added = rows[spec.key].to_pylist()
            if known.isdisjoint(added):
                # without a join the cost does not grow with the table
                dataset = self._files.extend(dataset, rows)
                if dataset.version != before + 1:  # somebody writes without this lock
                    drop_repeated(spec, partition, added, dataset)
            else:
                builder = dataset.merge_insert(list(spec.identity))
                builder.when_matched_update_all().when_not_matched_insert_all().execute(rows)
            self._known.pop(table, None)
            if dataset.version == before + 1:
                known.update(added)
                self._known[table] = (dataset.version, partition, known)

    def replace(
        self, table: str, partition: Partition, rows: pa.Table, *, allow_empty: bool = False
    ) -> None:
        """Make `rows` the whole content of a partition, in one commit.

        A reader sees either all old rows or all new ones. Only rows that differ are written; if
        there are none, there is no commit.

        Args:
            table: table name.
            partition: the one partition to replace.
            rows: all rows that it should hold.
            allow_empty: whether zero rows are allowed.

        Raises:
            EmptyReplaceError: there are no rows, and `allow_empty` is false.
            SchemaMismatchError: the rows do not fit the table.
            DuplicateKeyError: a key occurs twice in `rows`.
        """
        spec, partition, rows = self._checked(table, partition, rows)
        if not rows.num_rows and not allow_empty:
            raise EmptyReplaceError(
                f"Table {table!r}, partition {partition!r}: zero rows would delete its "
                f"{self.count(table, partition)} rows. If that is intended, pass allow_empty=True; "
                "otherwise check the source."
            )
        with writer_lock(self.root, table):
            if (dataset := self._opened(spec, rows)) is None:
                return
            changes = find_changes(spec, partition, rows, dataset)
            if not changes:
                return
            few = len(changes.gone) <= KEYS_PER_LOOKUP
            doomed = any_key(spec.key, changes.gone) if few and changes.gone else None
            builder = dataset.merge_insert(list(spec.identity))
            builder.when_matched_update_all().when_not_matched_insert_all()
            if changes.gone:
                builder.when_not_matched_by_source_delete(
                    all_of(partition_predicate(spec, partition), doomed)
                )
            builder.execute(changes.rows if few else rows)

    def prune(self, table: str, partition: Partition, keep: Sequence[str]) -> int:
        """Delete the rows of a partition whose key is not in `keep`, in one commit.

        Returns:
            The number of deleted rows; if it is 0, there was no commit.
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
            # a join, since an IN list of a hundred thousand keys is slow
            builder = dataset.merge_insert(list(spec.identity))
            done = builder.when_matched_delete().execute(
                pa.table(doomed, schema=pa.schema([spec.schema.field(name) for name in doomed]))
            )
            return done["num_deleted_rows"]

    def move_images(self, images: Sequence[str], shard: str, to: str) -> None:
        """Move the rows of images, and all that was made from them, to another shard.

        Args:
            images: image ids.
            shard: key of the shard that has them.
            to: key of the other shard.
        """
        for name, spec in TABLES.items():
            if "shard" not in spec.partition_by or "image_id" not in spec.schema.names:
                continue
            with writer_lock(self.root, name):
                dataset = self._files.open(spec)
                for start in range(0, len(images) if dataset else 0, KEYS_PER_LOOKUP):
                    asked = any_key("image_id", images[start : start + KEYS_PER_LOOKUP])
                    there = self.read(name, {"shard": to}, [spec.key], asked)[spec.key]
                    here = all_of(
                        f"shard = {sql_quoted(shard)}",
                        asked,
                        f"NOT {any_key(spec.key, there.to_pylist())}" if len(there) else None,
                    )
                    assert dataset is not None
                    if dataset.count_rows(here):
                        dataset.update({"shard": sql_quoted(to)}, where=here)

    def remove(self, table: str, where: str) -> int:
        """Delete the rows of all partitions that match a SQL predicate, in one commit.

        Earlier versions still hold them; see `forget_versions`.

        Returns:
            The number of deleted rows; if it is 0, there was no commit.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table):
            dataset = self._files.open(spec)
            if dataset is None or not dataset.count_rows(where):
                return 0
            return dataset.delete(where)["num_deleted_rows"]

    def _opened(self, spec: TableSpec, rows: pa.Table) -> lance.LanceDataset | None:
        """Open a table to write; None if `rows` became its first version."""
        dataset = self._files.open_to_write(spec)
        if dataset is None and not self._files.create(spec, rows):
            dataset = self._files.open_to_write(spec)
        return dataset

    def _known_keys(self, spec: TableSpec, partition: dict[str, str], version: int) -> set[str]:
        """Return the keys of a partition, cached as long as no other process writes to the table.

        Call it under the writer lock: a write of another process has raised the version.
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
