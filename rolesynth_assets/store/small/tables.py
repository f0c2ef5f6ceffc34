"""The small tables: results of some thousand rows at most, each a Lance table of its own.

A write reads the table, replaces some of its rows and commits the whole as the next version, if
nobody else has committed in between; otherwise it begins again. So a writer never waits for a lock,
no row is lost or doubled whoever writes at once, and each version is one file, which is read as a
whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, data_path
from rolesynth_assets.store.lance.datasets import create_dataset, open_dataset
from rolesynth_assets.store.lance.writing.commits import committed
from rolesynth_assets.store.small.rows import Value, checked_rows, chosen, selected, stored_rows
from rolesynth_assets.store.small.schemas import SmallTable, small_table

if TYPE_CHECKING:
    import lance
    import polars as pl
    import pyarrow as pa

PATIENCE_S = 120.0  # a commit takes some milliseconds on a disk, and a tenth of a second on S3
READ_AT_ONCE = 8  # tables; a bucket takes some round trips for each


class SmallTables:
    """The tables of `SMALL_TABLES` below one data root."""

    def __init__(self, root: DataPath | str, *, patience_s: float = PATIENCE_S) -> None:
        """Name the data root; the first write of a table creates it.

        Args:
            root: data root, a folder or a URL.
            patience_s: longest time to try a write again because others commit first, s.
        """
        self.root = str(data_path(str(root))).rstrip("/")
        self._patience_s = patience_s

    def read(self, table: str, where: Mapping[str, Value] | None = None) -> pl.DataFrame:
        """Read the rows whose columns equal `where`, in no particular order.

        Returns:
            A frame with all columns of the table; empty if it was never written to.

        Raises:
            StoreError: there is no such table or column.
        """
        spec = small_table(table)
        frame = stored_rows(spec, self.dataset(table)).select(spec.names)
        return selected(table, frame, where or {})

    def read_all(self, tables: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Read whole tables at once; a table that was never written to is empty.

        Raises:
            StoreError: there is no such table.
        """
        with ThreadPoolExecutor(READ_AT_ONCE) as threads:
            return dict(zip(tables, threads.map(self.read, tables), strict=True))

    def replace(self, table: str, where: Mapping[str, Value], rows: pl.DataFrame) -> None:
        """Replace the rows whose columns equal `where` by `rows`, in one commit.

        If the table holds exactly these rows already, there is no commit.

        Args:
            table: table name.
            where: columns and their values, which every new row must have, so that a later call
                replaces it. An empty mapping replaces the whole table.
            rows: the new rows; zero rows remove the old ones.

        Raises:
            SchemaMismatchError: a column is missing, unknown, of another type, or null although it
                is required.
            StoreError: a row does not belong to `where`, or others committed first all the time.
        """
        spec = small_table(table)
        new = checked_rows(spec, where, rows)
        committed(table, lambda: self._commit(spec, where, new), self._patience_s)

    def dataset(self, table: str) -> lance.LanceDataset | None:
        """Open a table at its latest version; None if it was never written to."""
        return open_dataset(DataPaths(self.root).small_table(table))

    def written_ns(self, table: str) -> int | None:
        """Return the time of a table's last write in ns; 0 before it, None if that is not known."""
        place = DataPaths(self.root).small_table(table)
        if "://" in place:
            return None
        try:
            return os.stat(f"{place}/_versions").st_mtime_ns
        except FileNotFoundError:
            return 0

    def _commit(self, spec: SmallTable, where: Mapping[str, Value], new: pa.Table) -> None:
        """Try once.

        Raises:
            CommitConflictError: somebody else has committed since the table was read.
            AlreadyThereError: somebody else has created the table.
        """
        import polars as pl

        dataset = self.dataset(spec.name)
        if dataset is None:
            create_dataset(DataPaths(self.root).small_table(spec.name), new)
            return
        stored, added = stored_rows(spec, dataset), pl.DataFrame(new)
        going = chosen(spec.name, stored, where)
        if _same_rows(stored.filter(going), added) and set(spec.names) <= set(dataset.schema.names):
            return
        rows = pl.concat([stored.filter(~going), added], how="diagonal")
        _overwrite(dataset, _in_order(spec, dataset, rows))


def _same_rows(old: pl.DataFrame, new: pl.DataFrame) -> bool:
    """Whether two frames hold the same rows, in whatever order."""
    names = new.columns
    return old.height == new.height and old.select(names).sort(names).equals(new.sort(names))


def _in_order(spec: SmallTable, dataset: lance.LanceDataset, rows: pl.DataFrame) -> pa.Table:
    """Return all rows with the columns of the table, then those of a later version."""
    import pyarrow as pa

    schema = spec.schema
    for field in dataset.schema:
        if field.name not in spec.names:
            schema = schema.append(field.with_nullable(True))
    return pa.Table.from_arrays(
        [rows[field.name].to_arrow().cast(field.type) for field in schema], schema=schema
    )


def _overwrite(dataset: lance.LanceDataset, rows: pa.Table) -> None:
    """Commit `rows` as the next version after the one that `dataset` shows.

    Raises:
        CommitConflictError: there is a later version.
    """
    import lance

    files = lance.fragment.write_fragments(rows, dataset, mode="overwrite")
    lance.LanceDataset.commit(
        dataset,
        lance.LanceOperation.Overwrite(rows.schema, files),
        read_version=dataset.version,
        max_retries=0,  # only then does Lance refuse to overwrite a version it has not read
    )
