"""Records as rows of a table: a dataclass's fields are the columns of their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from rolesynth_assets.store.errors import SchemaMismatchError
from rolesynth_assets.store.lance.specification import TableSpec


def rows_of(
    spec: TableSpec, records: Sequence[Any], *, without: Sequence[str] = (), **given: Any
) -> pa.Table:
    """Return records as rows of their table.

    A column is what `given` says, a field of the record, a field of a dataclass in a field that is
    no column itself (null where that is None), or a property of the record, in this order.

    Args:
        spec: The table.
        records: Dataclass instances, all of one class.
        without: Fields that the table does not have.
        given: Columns that the records lack: a list with one value for each record, or one value
            for all rows.

    Returns:
        A table with exactly `spec.schema`.

    Raises:
        SchemaMismatchError: A column has no field, a field has no column, or a value is not of the
            column's type; the message names it.
    """
    if not records:
        return spec.schema.empty_table()
    paths = _paths(spec, type(records[0]), without, given)
    columns = []
    for field in spec.schema:
        if field.name in given:
            same = given[field.name]
            values = same if isinstance(same, list) else [same] * len(records)
        else:
            values = [_value(record, paths[field.name]) for record in records]
        columns.append(_column(spec, field, values))
    return pa.table(columns, schema=spec.schema)


def _paths(
    spec: TableSpec, record: type, without: Sequence[str], given: dict[str, Any]
) -> dict[str, tuple[str, ...]]:
    """Return where the values of each column are in a record, as names of attributes."""
    hints, names = get_type_hints(record), set(spec.schema.names)
    own: dict[str, tuple[str, ...]] = {}
    nested: dict[str, tuple[str, ...]] = {}
    for field in fields(record):
        inner = None if field.name in names else _dataclass_of(hints[field.name])
        if inner is None:
            own[field.name] = (field.name,)
        else:
            nested |= {part.name: (field.name, part.name) for part in fields(inner)}
    properties = {n: (n,) for n in names if isinstance(getattr(record, n, None), property)}
    paths = properties | nested | own
    where = f"Table {spec.name!r}, rows of {record.__name__}"
    if more := sorted((set(paths) | set(given)) - names - set(without)):
        raise SchemaMismatchError(f"{where}: the table has no column {', '.join(more)}.")
    if absent := sorted(names - set(paths) - set(given)):
        raise SchemaMismatchError(f"{where}: there is no {', '.join(absent)}.")
    return paths


def _dataclass_of(hint: Any) -> type | None:
    """The dataclass that a field holds, perhaps or None."""
    return next((kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)), None)  # type: ignore[return-value]  # hints are classes


def _value(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = None if record is None else getattr(record, name)
    return record


def _column(spec: TableSpec, field: pa.Field, values: list[Any]) -> pa.Array:
    where = f"Table {spec.name!r}, column {field.name!r}"
    try:
        column = pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaMismatchError(f"{where}: a value is not {field.type} ({error}).") from error
    if column.null_count and not field.nullable:
        raise SchemaMismatchError(f"{where}: {column.null_count} rows are null; it is required.")
    return column
