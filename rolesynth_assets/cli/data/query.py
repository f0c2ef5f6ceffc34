"""`rolesynth query`, SQL over the tables without a copy of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rolesynth_assets.cli.printable import cell_text, printable, printable_json

if TYPE_CHECKING:
    import duckdb
    from rich.table import Table

    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.reader import StoreReader

SMALL = "small"
"""Schema of the small result tables in a query."""
PAGE = 1000
"""Rows held and printed at once."""


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
    small result tables are below `small.` (small.cutoffs, small.benchmark_scores, ...),
    as they are when the query begins: a run can go on writing them while a query works.
    Files and the network cannot be reached from a query.

    **rolesynth query "SELECT role, avg(score) FROM scores GROUP BY role"**

    **rolesynth query "SELECT * FROM small.cutoffs" --json**
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
            size = PAGE if as_json or not limit else min(PAGE, limit + 1)
            _print(names, iter(lambda: found.fetchmany(size), []), limit, as_json=as_json)
        except duckdb.Error as error:
            raise typer.BadParameter(
                f"{error} (`rolesynth query --tables` lists tables and columns)"
            ) from error


def attach(connection: duckdb.DuckDBPyConnection, settings: Settings, store: StoreReader) -> None:
    """Make the tables known to a connection, and shut it off from everything else.

    Args:
        connection: a connection to a database in memory.
        settings: name the data root, whose small tables are copied as they are now.
        store: the Lance tables.

    Raises:
        BadParameter: the small tables cannot be read.
    """
    from rolesynth_assets.store.lance.schemas import TABLES
    from rolesynth_assets.store.small.schemas import SMALL_TABLES
    from rolesynth_assets.store.small.tables import SmallTables

    for name, spec in TABLES.items():
        dataset = store.dataset(name)
        connection.register(name, dataset if dataset is not None else spec.schema.empty_table())
    try:
        frames = SmallTables(settings.data_root).read_all([*SMALL_TABLES])
    except (ValueError, OSError) as error:
        raise typer.BadParameter(f"the small tables cannot be read: {error}") from error
    connection.execute(f"ATTACH ':memory:' AS {SMALL}")
    for name, frame in frames.items():
        connection.register("incoming", frame.to_arrow())
        connection.execute(f'CREATE TABLE {SMALL}."{name}" AS SELECT * FROM incoming')
        connection.unregister("incoming")
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
    from rolesynth_assets.store.small.schemas import SMALL_TABLES

    for name, spec in TABLES.items():
        typer.echo(f"{name} ({store.count(name):,} rows): {', '.join(spec.schema.names)}")
    for name, table in SMALL_TABLES.items():
        typer.echo(f"{SMALL}.{name}: {', '.join(table.names)}")


def _print(names: Sequence[str], pages: Iterator[list[Any]], limit: int, *, as_json: bool) -> None:
    """Print rows as they come; a table has its header once every `PAGE` rows."""
    rows = (row for page in pages for row in page)
    if as_json:
        for row in rows:
            typer.echo(printable_json(dict(zip(names, row, strict=True))))
        return
    from rich.console import Console

    console, shown = Console(highlight=False, markup=False), 0
    wanted = islice(rows, limit) if limit else rows
    while (page := list(islice(wanted, PAGE))) or not shown:
        console.print(_table(names, page))
        shown += len(page)
        if len(page) < PAGE:
            break
    if limit and next(rows, None) is not None:
        typer.echo(f"the first {limit:,} rows; --limit 0 prints all")


def _table(names: Sequence[str], rows: Sequence[Any]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(printable(name), overflow="fold")
    for row in rows:
        table.add_row(*map(cell_text, row))
    return table
