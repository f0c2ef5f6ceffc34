"""`rolesynth query`, SQL over the tables without a copy of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rolesynth_assets.cli.printable import printable

if TYPE_CHECKING:
    import duckdb

    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.reader import StoreReader

WAREHOUSE = "warehouse"
"""Schema of the small result tables in a query."""


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the tables.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Rows to print; 0 prints all.")] = 100,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line, without a limit.")
    ] = False,
    tables: Annotated[bool, typer.Option("--tables", help="List the tables and columns.")] = False,
) -> None:
    """Ask the tables in SQL (DuckDB), which reads them where they are and changes nothing.

    The Lance tables have their names (images, captions, scores, pairs, candidates, ...), and the
    small result tables are below `warehouse.` (warehouse.cutoffs, warehouse.benchmark_scores, ...).
    Files and the network cannot be reached from a query.

    **rolesynth query "SELECT role, avg(score) FROM scores GROUP BY role"**

    **rolesynth query "SELECT * FROM warehouse.cutoffs" --json**
    """
    from rolesynth_assets.cli.data.listed_captions import open_store

    settings, store = open_store()
    if tables or not sql.strip():
        _print_tables(store)
        return
    import duckdb

    with duckdb.connect(":memory:") as connection:
        attach(connection, settings, store)
        try:
            found = connection.execute(_only_select(connection, sql))
            assert connection.description is not None
            names = [column[0] for column in connection.description]
            rows = found.fetchall() if as_json or not limit else found.fetchmany(limit + 1)
        except duckdb.Error as error:
            raise typer.BadParameter(
                f"{error} (`rolesynth query --tables` lists tables and columns)"
            ) from error
    _print(names, rows, limit, as_json=as_json)


def attach(connection: duckdb.DuckDBPyConnection, settings: Settings, store: StoreReader) -> None:
    """Make the tables known to a connection, and shut it off from everything else.

    Args:
        connection: a connection to a database in memory.
        settings: name the warehouse.
        store: the Lance tables.
    """
    from rolesynth_assets.store.lance.schemas import TABLES

    for name, spec in TABLES.items():
        dataset = store.dataset(name)
        connection.register(name, dataset if dataset is not None else spec.schema.empty_table())
    path = Path(settings.paths.warehouse)
    if path.exists():
        quoted = str(path).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {WAREHOUSE} (READ_ONLY)")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _only_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the one statement of a text.

    Raises:
        BadParameter: there are several, or it is no SELECT.
        duckdb.Error: it is no SQL.
    """
    import duckdb

    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise typer.BadParameter("one SELECT is asked for; nothing else is allowed")
    return statements[0]


def _print_tables(store: StoreReader) -> None:
    from rolesynth_assets.store.lance.schemas import TABLES
    from rolesynth_assets.store.warehouse.tables import WAREHOUSE_TABLES

    for name, spec in TABLES.items():
        typer.echo(f"{name} ({store.count(name):,} rows): {', '.join(spec.schema.names)}")
    for name, table in WAREHOUSE_TABLES.items():
        typer.echo(f"{WAREHOUSE}.{name}: {', '.join(table.names)}")


def _print(names: list[str], rows: list[Any], limit: int, *, as_json: bool) -> None:
    if as_json:
        for row in rows:
            record = dict(zip(names, row, strict=True))
            typer.echo(json.dumps(record, ensure_ascii=False, default=_plain))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(printable(name), overflow="fold")
    shown = rows[:limit] if limit else rows
    for row in shown:
        table.add_row(*(printable("" if cell is None else str(_plain(cell))) for cell in row))
    Console(highlight=False, markup=False).print(table)
    if len(rows) > len(shown):
        typer.echo(f"the first {limit:,} rows; --limit 0 prints all")


def _plain(value: Any) -> Any:
    """Return a value as JSON or a terminal can show it; bytes are only counted."""
    return (
        f"<{len(value):,} bytes>"
        if isinstance(value, bytes)
        else str(value)
        if not isinstance(value, int | float | bool)
        else value
    )
