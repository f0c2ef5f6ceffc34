"""The warehouse: small result tables in one DuckDB file.

DuckDB allows one writing process or several reading ones, so each operation opens a connection and
closes it again. If the file is locked, the operation waits and tries again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.store.errors import SchemaMismatchError, StoreError
from rolesynth_assets.store.table_identity import WAREHOUSE, renew_identity
from rolesynth_assets.store.warehouse.tables import WarehouseTable, warehouse_table

if TYPE_CHECKING:
    import duckdb
    import polars as pl

Value = str | int | float | bool | None

PATIENCE_S = 120.0  # other writers hold the file for milliseconds each
LONGEST_WAIT_S = 1.0  # seconds between two tries


class Warehouse:
    """The tables of `WAREHOUSE_TABLES` in one DuckDB file."""

    def __init__(self, path: str | Path, *, patience_s: float = PATIENCE_S) -> None:
        """Name the file; the first write creates it.

        Args:
            path: path of the DuckDB file, `<data root>/warehouse.duckdb`.
            patience_s: longest time to wait for other processes that have the file open, s.
        """
        self.path = Path(path)
        self._patience_s = patience_s

    def read(self, table: str, where: Mapping[str, Value] | None = None) -> pl.DataFrame:
        """Read the rows whose columns equal `where`, in no particular order.

        Returns:
            A frame with all columns of the table; empty if it was never written to.

        Raises:
            StoreError: there is no such table or column, or the file stays locked.
        """
        import duckdb

        spec = warehouse_table(table)
        condition, values = _condition(spec, where or {})
        if self.path.exists():
            with self._connect(read_only=True) as connection:
                if stored := _stored_columns(connection, table):
                    return _frame(connection, f"{_selection(spec, stored)}{condition}", values)
        with duckdb.connect(":memory:") as connection:
            connection.execute(_create_statement(spec))
            return _frame(connection, f"{_selection(spec, spec.names)}{condition}", values)

    def read_all(self, tables: Sequence[str]) -> dict[str, pl.DataFrame]:
        """Read whole tables over one connection; a table that was never written to is empty.

        Raises:
            StoreError: there is no such table, or the file stays locked.
        """
        import duckdb

        specs = [warehouse_table(name) for name in tables]
        if not self.path.exists():
            return {spec.name: self.read(spec.name) for spec in specs}
        with self._connect(read_only=True) as connection, duckdb.connect(":memory:") as empty:
            frames = {}
            for spec in specs:
                stored = _stored_columns(connection, spec.name)
                if not stored:
                    empty.execute(_create_statement(spec))
                query = _selection(spec, stored or spec.names)
                frames[spec.name] = _frame(connection if stored else empty, query, [])
            return frames

    def replace(self, table: str, where: Mapping[str, Value], rows: pl.DataFrame) -> None:
        """Replace the rows whose columns equal `where` by `rows`, in one transaction.

        Args:
            table: table name.
            where: columns and their values, which every new row must have, so that a later call
                replaces it. An empty mapping replaces the whole table.
            rows: the new rows; zero rows remove the old ones.

        Raises:
            SchemaMismatchError: a column is missing, unknown, of another type, or null although it
                is required.
            StoreError: a row does not belong to `where`, or the file stays locked.
        """
        spec = warehouse_table(table)
        condition, values = _condition(spec, where)
        _check_columns(spec, rows)
        _check_belonging(spec, where, rows)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect(read_only=False) as connection:
            if not connection.execute("SELECT 1 FROM duckdb_tables() LIMIT 1").fetchone():
                renew_identity(self.path.parent, WAREHOUSE)  # no other process is in here
            connection.begin()
            connection.execute(_create_statement(spec))
            _add_columns(connection, spec)
            connection.execute(f"DELETE FROM {_name(table)}{condition}", values)
            if rows.height:
                connection.register("incoming", rows.to_arrow())
                _insert(connection, spec)
            connection.commit()

    def _connect(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        """Open the file; wait as long as another process has it open."""
        import duckdb
        from tenacity import (
            RetryError,
            Retrying,
            retry_if_exception,
            stop_after_delay,
            wait_random_exponential,
        )

        tries = Retrying(
            retry=retry_if_exception(_is_locked),
            stop=stop_after_delay(self._patience_s),
            wait=wait_random_exponential(multiplier=0.02, max=LONGEST_WAIT_S),
        )
        try:
            return tries(duckdb.connect, str(self.path), read_only=read_only)
        except RetryError as error:
            raise StoreError(
                f"Warehouse {self.path} has been open in another process for "
                f"{self._patience_s:.0f} s: {error.last_attempt.exception()} Close that process "
                "(a DuckDB shell or a notebook, perhaps) and run this again."
            ) from error


def _is_locked(error: BaseException) -> bool:
    """Whether opening failed because the file is already open."""
    import duckdb

    if isinstance(error, duckdb.ConnectionException):  # this process has it open the other way
        return "different configuration" in str(error)
    return isinstance(error, duckdb.IOException) and "lock" in str(error)


def _name(identifier: str) -> str:
    """Quote a name from a `WarehouseTable`; names never come from data."""
    return f'"{identifier}"'


def _condition(spec: WarehouseTable, where: Mapping[str, Value]) -> tuple[str, list[Value]]:
    """Return `where` as a parametrised WHERE clause with its values."""
    _known_columns(spec, where)
    tests = [f"{_name(column)} IS NOT DISTINCT FROM ?" for column in where]
    return (" WHERE " + " AND ".join(tests) if tests else ""), list(where.values())


def _known_columns(spec: WarehouseTable, given: Mapping[str, Value] | list[str]) -> None:
    unknown = [column for column in given if column not in spec.names]
    if unknown:
        raise SchemaMismatchError(
            f"Warehouse table {spec.name!r} has no column {', '.join(unknown)}; "
            f"it has {', '.join(spec.names)}."
        )


def _check_columns(spec: WarehouseTable, rows: pl.DataFrame) -> None:
    """Raise if a column is unknown, or if a required column is missing or null."""
    _known_columns(spec, rows.columns)
    for column in spec.columns:
        if column.optional:
            continue
        if column.name not in rows.columns:
            raise SchemaMismatchError(
                f"Warehouse table {spec.name!r}, column {column.name!r}: missing from the rows; "
                "it is required."
            )
        if rows[column.name].null_count():
            raise SchemaMismatchError(
                f"Warehouse table {spec.name!r}, column {column.name!r}: "
                f"{rows[column.name].null_count()} rows are null; it is required."
            )


def _check_belonging(spec: WarehouseTable, where: Mapping[str, Value], rows: pl.DataFrame) -> None:
    """Raise if `where` does not select one of the new rows."""
    for column, value in where.items():
        strangers = [found for found in rows[column].to_list() if found != value]
        if strangers:
            raise StoreError(
                f"Warehouse table {spec.name!r}: {len(strangers)} rows have "
                f"{column}={strangers[0]!r}, but the write replaces {column}={value!r}. "
                "Write each group of rows by itself."
            )


def _create_statement(spec: WarehouseTable) -> str:
    columns = ", ".join(
        f"{_name(column.name)} {column.kind}{'' if column.optional else ' NOT NULL'}"
        for column in spec.columns
    )
    return f"CREATE TABLE IF NOT EXISTS {_name(spec.name)} ({columns})"


def _insert(connection: duckdb.DuckDBPyConnection, spec: WarehouseTable) -> None:
    """Insert the registered frame `incoming`."""
    import duckdb

    try:
        connection.execute(f"INSERT INTO {_name(spec.name)} BY NAME SELECT * FROM incoming")
    except (duckdb.ConversionException, duckdb.BinderException) as error:
        raise SchemaMismatchError(
            f"Warehouse table {spec.name!r} takes "
            f"{', '.join(f'{column.name} {column.kind}' for column in spec.columns)}; "
            f"the rows do not fit: {error}"
        ) from error


def _stored_columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns of a stored table; none if it was never written to."""
    # fetchall, since DuckDB accepts no other statement before a result is read completely
    found = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ?", [table]
    ).fetchall()
    return [name for (name,) in found]


def _selection(spec: WarehouseTable, stored: Sequence[str]) -> str:
    """Return the query of all columns; one that an earlier version did not write is null."""
    columns = [
        _name(column.name)
        if column.name in stored or not column.optional
        else f"NULL::{column.kind} AS {_name(column.name)}"
        for column in spec.columns
    ]
    return f"SELECT {', '.join(columns)} FROM {_name(spec.name)}"


def _add_columns(connection: duckdb.DuckDBPyConnection, spec: WarehouseTable) -> None:
    """Add the optional columns that a table of an earlier version lacks."""
    stored = _stored_columns(connection, spec.name)
    for column in spec.columns:
        if column.optional and column.name not in stored:
            connection.execute(
                f"ALTER TABLE {_name(spec.name)} ADD COLUMN {_name(column.name)} {column.kind}"
            )


def _frame(connection: duckdb.DuckDBPyConnection, query: str, values: list[Value]) -> pl.DataFrame:
    import polars as pl

    frame = pl.from_arrow(connection.sql(query, params=values).to_arrow_table())
    if not isinstance(frame, pl.DataFrame):  # from_arrow returns a series for one bare column
        raise TypeError(f"DuckDB returned a {type(frame).__name__}, not a table.")
    return frame
