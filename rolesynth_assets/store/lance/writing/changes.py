"""The differences between a partition's new content and its stored rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.store.lance.rows import partition_predicate
from rolesynth_assets.store.lance.schemas import holds_bytes
from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance


@dataclass(frozen=True)
class Changes:
    """The rows to write and the keys to delete to give a partition its new content.

    Attributes:
        rows: new rows, and rows that differ from the stored row with their key.
        gone: stored keys that the new content lacks, sorted.
    """

    rows: pa.Table
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        """Return whether there is any difference."""
        return bool(self.rows.num_rows or self.gone)


def find_changes(
    spec: TableSpec, partition: Mapping[str, str], rows: pa.Table, dataset: lance.LanceDataset
) -> Changes:
    """Compare `rows` with the stored rows of a partition, in all columns.

    In a table with a column of bytes nothing is compared and every row counts as changed.

    Args:
        spec: the table.
        partition: exactly one partition.
        rows: the whole new content of the partition, with the table's schema and distinct keys.
        dataset: the open table.
    """
    import polars as pl

    comparable = not any(holds_bytes(field.type) for field in spec.schema)
    columns = spec.schema.names if comparable else [spec.key]
    stored = pl.DataFrame(
        dataset.to_table(columns=columns, filter=partition_predicate(spec, partition))
    )
    keys = pl.DataFrame({spec.key: rows[spec.key]})
    gone = stored.join(keys, on=spec.key, how="anti")[spec.key].sort().to_list()
    if comparable:
        numbered = pl.DataFrame(rows).with_row_index("_row")
        differing = numbered.join(stored, on=columns, how="anti", nulls_equal=True)
        rows = rows.take(differing["_row"].sort().to_arrow())
    return Changes(rows, tuple(gone))
