"""Rows of the small tables: the check before a write, and the choice of rows by their values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.store.errors import SchemaMismatchError
from rolesynth_assets.store.lance.added_columns import with_nulls
from rolesynth_assets.store.lance.rows import checked_column
from rolesynth_assets.store.small.schemas import SmallTable

if TYPE_CHECKING:
    import lance
    import polars as pl
    import pyarrow as pa

Value = str | int | float | bool | None


def stored_rows(spec: SmallTable, dataset: lance.LanceDataset | None) -> pl.DataFrame:
    """Read a whole table; a column that an earlier version did not write is null.

    Columns of a later version follow those that this one knows.
    """
    import polars as pl
    import pyarrow as pa

    schema = spec.schema
    if dataset is not None:
        later = [field for field in dataset.schema if field.name not in spec.names]
        schema = pa.schema([*schema, *later])
    batches = [] if dataset is None else dataset.to_batches()
    table = pa.Table.from_batches([with_nulls(b, schema) for b in batches], schema=schema)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def chosen(table: str, frame: pl.DataFrame, where: Mapping[str, Value]) -> pl.Series:
    """Return for each row whether its columns equal `where`; null equals null.

    Raises:
        SchemaMismatchError: there is no such column.
    """
    import polars as pl

    refuse_unknown(table, frame.columns, where)
    if not where:
        return pl.Series([True] * frame.height, dtype=pl.Boolean)
    equal = [pl.col(column).eq_missing(pl.lit(value)) for column, value in where.items()]
    return frame.select(pl.all_horizontal(equal)).to_series()


def selected(table: str, frame: pl.DataFrame, where: Mapping[str, Value]) -> pl.DataFrame:
    """Return the rows whose columns equal `where`.

    Raises:
        SchemaMismatchError: there is no such column.
    """
    return frame.filter(chosen(table, frame, where)) if where else frame


def checked_rows(spec: SmallTable, where: Mapping[str, Value], rows: pl.DataFrame) -> pa.Table:
    """Convert rows to the schema of their table.

    Raises:
        SchemaMismatchError: a column is missing, unknown, of another type, or null although it is
            required.
        StoreError: a row does not belong to `where`.
    """
    import pyarrow as pa

    refuse_unknown(spec.name, spec.names, where)
    refuse_unknown(spec.name, spec.names, rows.columns)
    given = rows.to_arrow()
    columns = [checked_column(spec.name, field, where, given) for field in spec.schema]
    return pa.table(columns, schema=spec.schema)


def refuse_unknown(table: str, names: Sequence[str], asked: Iterable[str]) -> None:
    """Raise where something is asked of a column that the table does not have."""
    if unknown := set(asked) - set(names):
        raise SchemaMismatchError(
            f"Table {table!r} has no column {', '.join(sorted(unknown))}; "
            f"it has {', '.join(names)}."
        )
