"""The way of the small tables out of the DuckDB file in which earlier versions kept them.

The file takes another name only after each table holds the same rows as the file, by their digests.
A process that is killed before that has changed nothing that an earlier version reads, and the next
one begins again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.small.schemas import SMALL_TABLES, SmallTable
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.table_identity import SMALL

if TYPE_CHECKING:
    import duckdb
    import polars as pl

_OLD_IDENTITY = "warehouse"
"""Name under which earlier versions kept the id of the file's tables."""


@dataclass(frozen=True)
class Moved:
    """One table that was taken over.

    Attributes:
        table: its name.
        rows: number of its rows.
        digest: digest of its rows, the same in the file and in the table.
    """

    table: str
    rows: int
    digest: str


def move_out_of_duckdb(root: DataPath, report: Callable[[Moved], None]) -> Path | None:
    """Take all tables of the file over, and give the file another name.

    Args:
        root: data root; earlier versions knew no bucket.
        report: called with each table once it is verified.

    Returns:
        The file under its new name; None if there is no file to take over.

    Raises:
        StoreError: the file cannot be read, a table does not hold the rows of the file, or a file
            was taken over before and an earlier version has written another since.
    """
    paths = DataPaths(root)
    if paths.in_bucket:
        return None
    old = paths.duckdb_file
    done = old.with_name(f"{old.name}.migrated")
    with writer_lock(root, "migrate"):
        if not old.exists():
            return None
        if done.exists():
            raise StoreError(
                f"{done} was taken over before, and an earlier version of rolesynth has written "
                f"{old} since. Move one of the two files away: {old} is taken over if the other is "
                "gone, and what was written since by this version is replaced by it."
            )
        with _opened(old) as connection:
            for name in _stored_tables(connection):
                report(_move(connection, SMALL_TABLES[name], SmallTables(root)))
        known = paths.table_identity(_OLD_IDENTITY)
        if known.exists():  # Dagster knows the tables by it
            write_text(paths.table_identity(SMALL), known.read_text())
        os.replace(old, done)
        known.unlink(missing_ok=True)
    return done


def rows_digest(frame: pl.DataFrame) -> str:
    """Digest all rows of a table, whatever their order; a number counts with all its digits."""
    return digest(*frame.columns, *sorted(map(repr, frame.rows())))


def _opened(path: Path) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        return duckdb.connect(str(path))  # not read-only: it takes in what a killed process left
    except duckdb.Error as error:
        raise StoreError(
            f"{path} cannot be read: {error} Close every process that works with this data root "
            "(runs, `rolesynth ui`, a DuckDB shell), and run this again."
        ) from error


def _stored_tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    stored = {name for (name,) in found}
    return [name for name in SMALL_TABLES if name in stored]


def _move(connection: duckdb.DuckDBPyConnection, spec: SmallTable, small: SmallTables) -> Moved:
    """Take one table over; what a killed process took over before is replaced.

    Raises:
        StoreError: the rows are not the same afterwards.
    """
    import polars as pl

    frame = pl.DataFrame(connection.sql(f'SELECT * FROM "{spec.name}"').to_arrow_table())
    missing = [pl.lit(None).alias(c.name) for c in spec.columns if c.name not in frame.columns]
    frame = frame.with_columns(missing).select(spec.names).cast(pl.Schema(spec.schema))
    before = rows_digest(frame)
    small.replace(spec.name, {}, frame)
    if (after := rows_digest(small.read(spec.name))) != before:
        raise StoreError(
            f"Small table {spec.name!r} has other rows than the file it was taken from (digest "
            f"{after[:12]}, not {before[:12]}); the file is as it was."
        )
    return Moved(spec.name, frame.height, before)
