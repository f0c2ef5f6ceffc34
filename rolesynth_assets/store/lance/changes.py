"""What of a partition's new content differs from what is stored."""

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
    """The rows to write and the keys to delete, so that a partition has its new content.

    Attributes:
        rows: new rows, and those that differ from the stored row of their key.
        gone: stored keys that the new content lacks, sorted.
    """

    rows: pa.Table
    gone: tuple[str, ...]

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.rows.num_rows or self.gone)


def find_changes(
    spec: TableSpec, partition: Mapping[str, str], rows: pa.Table, dataset: lance.LanceDataset
) -> Changes:
    """Compare `rows` with a partition, all columns of it.

    The bytes of a table that holds some are not compared: there every row counts as changed.

    Args:
        spec: the table.
        partition: exactly one partition.
        rows: all rows that it shall hold, with the table's schema and different keys.
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
