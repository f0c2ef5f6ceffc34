"""The store, which is the only code that writes the LanceDB tables.

Every write is one Lance commit, so a reader sees a partition either before or after it, and a
process that is killed in between leaves nothing but unreferenced files. Versions are kept: a
training set records the version that it read, and can read it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.errors import EmptyReplaceError
from rolesynth_assets.store.lance.maintenance.upkeep import StoreUpkeep
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
from rolesynth_assets.store.lance.writing.changes import find_changes
from rolesynth_assets.store.lance.writing.commits import committed
from rolesynth_assets.store.lance.writing.overtaken import drop_repeated
from rolesynth_assets.store.lance.writing.plans import Plan, make_plan
from rolesynth_assets.store.leases.hold import Hold
from rolesynth_assets.store.locks import PATIENCE_S, partition_lock, writer_lock

if TYPE_CHECKING:
    import lance


class Store(StoreUpkeep):
    """The Lance tables under one data root, as listed in `schemas.TABLES`, to read and write."""

    def __init__(self, root: DataPath | str) -> None:
        """Open the store; see `StoreReader`."""
        super().__init__(root)
        self._known: dict[str, tuple[int, dict[str, str], set[str]]] = {}
        self._making: dict[tuple[str, ...], Hold] = {}

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
        with self._writing(spec, partition) as hold:
            committed(table, lambda: self._add(spec, partition, rows, hold))

    def _add(
        self, spec: TableSpec, partition: dict[str, str], rows: pa.Table, hold: Hold | None
    ) -> None:
        if (dataset := self._opened(spec, rows)) is None:
            return
        before = dataset.version
        known, added = self._known_keys(spec, partition, before), rows[spec.key].to_pylist()
        self._known.pop(spec.name, None)
        _still_held(hold)
        if known.isdisjoint(added):
            # without a join the cost does not grow with the table
            dataset = self._files.extend(dataset, rows)
            if dataset.version != before + 1 and not self._makes_alone(spec, partition):
                drop_repeated(spec, partition, added, dataset)  # somebody writes without this lock
        else:
            builder = dataset.merge_insert(list(spec.identity))
            builder.when_matched_update_all().when_not_matched_insert_all().execute(rows)
        if dataset.version == before + 1 or self._makes_alone(spec, partition):
            known.update(added)
            self._known[spec.name] = (dataset.version, partition, known)

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
        with self._writing(spec, partition) as hold:
            committed(table, lambda: self._exchange(spec, partition, rows, hold))

    def _exchange(
        self, spec: TableSpec, partition: dict[str, str], rows: pa.Table, hold: Hold | None
    ) -> None:
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
        self._known.pop(spec.name, None)
        _still_held(hold)
        builder.execute(changes.rows if few else rows)

    def prune(self, table: str, partition: Partition, keep: Sequence[str]) -> int:
        """Delete the rows of a partition whose key is not in `keep`, in one commit.

        Returns:
            The number of deleted rows; if it is 0, there was no commit.
        """
        spec = table_spec(table)
        partition = whole_partition(spec, partition)
        with self._writing(spec, partition) as hold:
            return committed(table, lambda: self._cut_back(spec, partition, keep, hold))

    def _cut_back(
        self, spec: TableSpec, partition: dict[str, str], keep: Sequence[str], hold: Hold | None
    ) -> int:
        dataset = self._files.open(spec)
        unwanted = sorted(self.keys(spec.name, partition).difference(keep))
        if dataset is None or not unwanted:
            return 0
        doomed = {spec.key: unwanted} | {
            column: [value] * len(unwanted) for column, value in partition.items()
        }
        self._known.pop(spec.name, None)
        _still_held(hold)
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
                for start in range(0, len(images), KEYS_PER_LOOKUP):
                    some = images[start : start + KEYS_PER_LOOKUP]
                    committed(name, partial(self._move, spec, some, shard, to))

    def _move(self, spec: TableSpec, images: Sequence[str], shard: str, to: str) -> None:
        if (dataset := self._files.open(spec)) is None:
            return
        asked = any_key("image_id", images)
        there = self.read(spec.name, {"shard": to}, [spec.key], asked)[spec.key]
        here = all_of(
            f"shard = {sql_quoted(shard)}",
            asked,
            f"NOT {any_key(spec.key, there.to_pylist())}" if len(there) else None,
        )
        if dataset.count_rows(here):
            dataset.update({"shard": sql_quoted(to)}, where=here)

    def remove(self, table: str, where: str) -> int:
        """Delete the rows of all partitions that match a SQL predicate, in one commit.

        Earlier versions still hold them; see `forget_versions`.

        Returns:
            The number of deleted rows; if it is 0, there was no commit.
        """
        spec = table_spec(table)
        with writer_lock(self.root, table) as hold:
            return committed(table, lambda: self._delete(spec, where, hold))

    def _delete(self, spec: TableSpec, where: str, hold: Hold | None) -> int:
        dataset = self._files.open(spec)
        if dataset is None or not dataset.count_rows(where):
            return 0
        _still_held(hold)
        return dataset.delete(where)["num_deleted_rows"]

    @contextmanager
    def making(
        self, table: str, partition: Partition, patience_s: float = PATIENCE_S
    ) -> Iterator[None]:
        """Hold the right to make one partition's rows, so that no other process pays for them.

        Whoever comes second waits, and then finds the rows. Writes to other partitions, and in a
        folder those of other processes to this one, go on meanwhile.

        Raises:
            StoreError: another process was making it during that time; the message names it.
        """
        spec = table_spec(table)
        place = whole_partition(spec, partition)
        with partition_lock(self.root, table, place, patience_s) as hold:
            self._known.pop(table, None)
            self._making[table, *place.values()] = hold
            try:
                yield
                if self._in_bucket:  # an image may have been moved here meanwhile
                    committed(table, lambda: self._settle(spec, place))
            finally:
                del self._making[table, *place.values()]
                self._known.pop(table, None)

    def _settle(self, spec: TableSpec, partition: dict[str, str]) -> None:
        if (dataset := self._files.open(spec)) is not None:
            drop_repeated(spec, partition, list(self.keys(spec.name, partition)), dataset)

    def _makes_alone(self, spec: TableSpec, partition: Mapping[str, str]) -> bool:
        """Whether nobody else writes to a partition, whatever version the table has."""
        return self._in_bucket and (spec.name, *partition.values()) in self._making

    @contextmanager
    def _writing(self, spec: TableSpec, partition: dict[str, str]) -> Iterator[Hold | None]:
        """Keep other writers away: from the table in a folder, from the partition in a bucket."""
        if not self._in_bucket:
            with writer_lock(self.root, spec.name) as hold:
                yield hold
        elif self._makes_alone(spec, partition):
            yield self._making[spec.name, *partition.values()]
        else:
            with partition_lock(self.root, spec.name, partition) as hold:
                yield hold

    def _opened(self, spec: TableSpec, rows: pa.Table) -> lance.LanceDataset | None:
        """Open a table to write; None if `rows` became its first version."""
        dataset = self._files.open_to_write(spec)
        if dataset is None and not self._files.create(spec, rows):
            dataset = self._files.open_to_write(spec)
        return dataset

    def _known_keys(self, spec: TableSpec, partition: dict[str, str], version: int) -> set[str]:
        """Return the keys of a partition, cached as long as no other process writes to it.

        Call it under the writer lock: a write of another process has raised the version, or this
        store has the right to make the partition.
        """
        known = self._known.get(spec.name)
        if known is not None and known[1] == partition:
            if known[0] == version or self._makes_alone(spec, partition):
                return known[2]
        return self.keys(spec.name, partition)

    def _checked(
        self, table: str, partition: Partition, rows: pa.Table
    ) -> tuple[TableSpec, dict[str, str], pa.Table]:
        spec = table_spec(table)
        whole = whole_partition(spec, partition)
        return spec, whole, checked_rows(spec, whole, rows)


def _still_held(hold: Hold | None) -> None:
    """Stop before a commit if another process may hold the lock by now."""
    if hold is not None:
        hold.check()
