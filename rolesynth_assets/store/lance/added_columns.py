"""Columns that a table got after its files were written: a row stored before has null in them.

A reader adds the nulls itself, since it writes nothing. The next writer adds the columns to the
table, and declares its primary key, which changes no file of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance


def stored_names(dataset: lance.LanceDataset, names: Sequence[str]) -> list[str]:
    """Return those of `names` that the dataset has, in their order."""
    known = set(dataset.schema.names)
    return [name for name in names if name in known]


def with_nulls(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with the columns of `schema`, null where the batch has no such column."""
    known = set(batch.schema.names)
    arrays = [
        batch.column(field.name).cast(field.type)
        if field.name in known
        else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def bring_up_to_date(spec: TableSpec, dataset: lance.LanceDataset) -> lance.LanceDataset:
    """Add the table's new columns, allow nulls where the table does now, declare its key.

    The caller holds the writer lock. Earlier versions keep their columns.
    """
    stored = dataset.schema
    new = [field for field in spec.schema if field.name not in stored.names]
    if new:
        dataset.add_columns(pa.schema(new))
    freed = [
        {"path": field.name, "nullable": True}
        for field in spec.schema
        if field.nullable and field.name in stored.names and not stored.field(field.name).nullable
    ]
    if freed:
        dataset.alter_columns(*freed)  # type: ignore[arg-type]
    if not any(stored.field(name).metadata for name in spec.identity):
        declared = {name: spec.stored_schema.field(name).metadata for name in spec.identity}
        dataset.update_field_metadata(
            {
                name: {key.decode(): value.decode() for key, value in metadata.items()}
                for name, metadata in declared.items()
            }
        )
    return dataset
