"""Validation of rows before a write, and partitions as SQL predicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa

from rolesynth_assets.store.errors import DuplicateKeyError, SchemaMismatchError, StoreError
from rolesynth_assets.store.lance.specification import TableSpec


def sql_quoted(value: str) -> str:
    """Spell `value` as a SQL text literal; a quote is doubled, nothing else is special."""
    return "'" + value.replace("'", "''") + "'"


def whole_partition(spec: TableSpec, partition: Mapping[str, str]) -> dict[str, str]:
    """Check that `partition` names exactly one partition, as every write must.

    Returns:
        The partition's values in the order of `spec.partition_by`.

    Raises:
        StoreError: a partition column is missing, unknown, or not text.
    """
    if set(partition) != set(spec.partition_by):
        raise StoreError(
            f"Table {spec.name!r} is partitioned by {', '.join(spec.partition_by)}; "
            f"a write names all of them and nothing else, not {dict(partition)!r}."
        )
    for column, value in partition.items():
        if not isinstance(value, str):
            raise StoreError(f"Table {spec.name!r}: partition {column}={value!r} is not text.")
    return {column: partition[column] for column in spec.partition_by}


def partition_predicate(spec: TableSpec, partition: Mapping[str, str] | None) -> str | None:
    """Return a partition as a SQL predicate.

    Args:
        spec: the table.
        partition: values of some or all partition columns; None is the whole table.

    Returns:
        The predicate, or None if it would be true for every row.

    Raises:
        StoreError: a column is not a partition column of the table.
    """
    unknown = set(partition or ()) - set(spec.partition_by)
    if unknown:
        raise StoreError(
            f"Table {spec.name!r} is partitioned by {', '.join(spec.partition_by)}, "
            f"not by {', '.join(sorted(unknown))}."
        )
    return all_of(
        *(f"{column} = {sql_quoted(value)}" for column, value in (partition or {}).items())
    )


def all_of(*predicates: str | None) -> str | None:
    """Join predicates with AND; None is a predicate that is always true."""
    given = [f"({predicate})" for predicate in predicates if predicate]
    return " AND ".join(given) or None


def any_key(column: str, keys: Sequence[str]) -> str:
    """Write `column IN (keys)`; for some thousands of keys at most."""
    return f"{column} IN ({', '.join(sql_quoted(key) for key in keys)})"


def refers_to(spec: TableSpec, column: str, keys: Sequence[str]) -> str:
    """Write as a predicate that a foreign key holds one of some keys of the other table."""
    if column not in spec.joined:
        return any_key(column, keys)
    return " OR ".join(f"{column} LIKE {sql_quoted(f'%{key}%')}" for key in keys)


def checked_rows(spec: TableSpec, partition: Mapping[str, str], rows: pa.Table) -> pa.Table:
    """Convert `rows` to the schema of their table, or raise an error about the wrong column.

    Nullable columns may be missing, and so may partition columns, which `partition` gives. Values
    are cast only if nothing is lost (int64 to int32 in range, large text to text).

    Args:
        spec: the table of the rows.
        partition: the one partition of the rows.
        rows: the rows.

    Returns:
        A table with exactly `spec.schema`.

    Raises:
        SchemaMismatchError: a column is missing, unknown, of another type, or null although the
            table requires a value.
        DuplicateKeyError: a key occurs twice.
        StoreError: the partition columns of a row name another partition.
    """
    unknown = set(rows.column_names) - set(spec.schema.names)
    if unknown:
        raise SchemaMismatchError(
            f"Table {spec.name!r} has no column {', '.join(sorted(unknown))}; "
            f"it has {', '.join(spec.schema.names)}."
        )
    columns = [checked_column(spec.name, field, partition, rows) for field in spec.schema]
    checked = pa.table(columns, schema=spec.schema)
    _refuse_repeated_keys(spec, checked[spec.key])
    return checked


def checked_column(
    table: str, field: pa.Field, partition: Mapping[str, object], rows: pa.Table
) -> pa.ChunkedArray | pa.Array:
    """Take one column out of `rows`, cast to the type of `field`.

    Args:
        table: name of the table.
        field: the column.
        partition: the values that all rows have in some columns.
        rows: the rows, which may lack nullable columns and those of `partition`.

    Raises:
        SchemaMismatchError: the column is missing, of another type, or null although it may not be.
        StoreError: a row has another value than `partition` says.
    """
    where = f"Table {table!r}, column {field.name!r}"
    if field.name not in rows.column_names:
        if field.name in partition:
            return pa.repeat(pa.scalar(partition[field.name], field.type), rows.num_rows)
        if field.nullable:
            return pa.nulls(rows.num_rows, field.type)
        raise SchemaMismatchError(f"{where}: missing from the rows; it is required.")
    column = rows[field.name]
    if column.type != field.type:
        try:
            if not _same_kind(column.type, field.type):
                raise pa.ArrowInvalid("these types are not converted")
            column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SchemaMismatchError(
                f"{where}: is {field.type} in the table but {column.type} in the rows ({error})."
            ) from error
    if not field.nullable and column.null_count:
        raise SchemaMismatchError(f"{where}: {column.null_count} rows are null; it is required.")
    if field.name in partition:
        strangers = [
            value for value in column.unique().to_pylist() if value != partition[field.name]
        ]
        if strangers:
            raise StoreError(
                f"{where}: rows belong to {strangers[0]!r}, but the write is for partition "
                f"{partition[field.name]!r}. Write each partition by itself."
            )
    return column


def _same_kind(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a cast keeps the meaning: text to text, number to number, all null to any type."""
    kinds = pa.types
    if kinds.is_null(given):
        return True
    if kinds.is_dictionary(given):
        return _same_kind(given.value_type, wanted)
    if kinds.is_floating(wanted):
        return kinds.is_floating(given) or kinds.is_integer(given)
    return any(
        all(test(kind) for kind in (given, wanted))
        for test in (_is_text, _is_bytes, kinds.is_integer, kinds.is_boolean)
    )


def _is_text(kind: pa.DataType) -> bool:
    kinds = pa.types
    return kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    kinds = pa.types
    return kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_binary_view(kind)


def _refuse_repeated_keys(spec: TableSpec, keys: pa.ChunkedArray) -> None:
    """Raise when a key occurs twice in one write."""
    if len(keys.unique()) == len(keys):
        return
    key, times = Counter(keys.to_pylist()).most_common(1)[0]
    raise DuplicateKeyError(
        f"Table {spec.name!r}: {len(keys) - len(keys.unique())} rows repeat a key within one "
        f"write, such as {spec.key}={key!r} ({times} times). Make the rows unique before "
        "writing them."
    )
