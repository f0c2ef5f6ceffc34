"""Plans that bring a partition up to date, by a join of wanted keys and stored keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from rolesynth_assets.store.lance.added_columns import stored_names, with_nulls
from rolesynth_assets.store.lance.rows import all_of, partition_predicate
from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance


ROWS_PER_LOOKUP = 10_000  # row ids in one IN list, about 100 kB of SQL


@dataclass(frozen=True)
class Plan:
    """The remaining work for a partition.

    Attributes:
        missing: keys whose rows must be made, in the order of the wanted keys.
        reuse: rows of other partitions with wanted keys, ready to append to this one.
        unwanted: stored keys that are not wanted, sorted.
        present: number of wanted keys that the partition already has.
    """

    missing: tuple[str, ...]
    reuse: pa.Table
    unwanted: tuple[str, ...]
    present: int


def make_plan(
    spec: TableSpec,
    partition: Mapping[str, str],
    wanted: Sequence[str],
    retry: str | None,
    *,
    dataset: lance.LanceDataset | None,
) -> Plan:
    """Join `wanted` against the rows of `dataset`; see `Store.plan`.

    Args:
        spec: the table.
        partition: exactly one partition.
        wanted: keys that the partition should hold.
        retry: predicate of rows that count as missing.
        dataset: the open table, or None if it was never written to.
    """
    wanted = tuple(dict.fromkeys(wanted))
    if dataset is None:
        return Plan(wanted, spec.schema.empty_table(), (), 0)
    here = partition_predicate(spec, partition)
    settled = f"({retry}) IS NOT TRUE" if retry else None  # a null result is not retried
    stored = _keys(dataset, spec, here)
    settled_here = _keys(dataset, spec, all_of(here, settled)) if retry else stored
    missing = [key for key in wanted if key not in settled_here]
    reuse = _rows_elsewhere(dataset, spec, partition, missing, all_of(f"NOT ({here})", settled))
    copied = set(reuse[spec.key].to_pylist())
    return Plan(
        missing=tuple(key for key in missing if key not in copied),
        reuse=reuse,
        unwanted=tuple(sorted(stored.difference(wanted))),
        present=len(wanted) - len(missing),
    )


def _keys(dataset: lance.LanceDataset, spec: TableSpec, predicate: str | None) -> set[str]:
    table = dataset.to_table(columns=[spec.key], filter=predicate)
    return set(table[spec.key].to_pylist())


def _rows_elsewhere(
    dataset: lance.LanceDataset,
    spec: TableSpec,
    partition: Mapping[str, str],
    keys: Sequence[str],
    elsewhere: str | None,
) -> pa.Table:
    """Return rows of other partitions with `keys`, one for each key, moved to `partition`.

    Keys and row ids are read first, so that whole rows are read only if they are copied. A key in
    several partitions is taken from the one that sorts first, so a rerun copies the same row.
    """
    if not keys:
        return spec.schema.empty_table()
    asked = pa.array(keys, pa.string())
    names = [spec.key, *spec.partition_by]
    stored = dataset.to_table(columns=names, filter=elsewhere, with_row_id=True)
    found = stored.filter(
        pc.call_function("is_in", [stored[spec.key]], pc.SetLookupOptions(value_set=asked))
    )
    found = found.sort_by([(name, "ascending") for name in names])
    keys_found = found[spec.key].to_pylist()
    first = [n for n, key in enumerate(keys_found) if not n or key != keys_found[n - 1]]
    rows = _rows_by_id(dataset, spec, found["_rowid"].take(pa.array(first, pa.int64())))
    columns = [
        pa.repeat(pa.scalar(partition[field.name], field.type), rows.num_rows)
        if field.name in partition
        else rows[field.name]
        for field in spec.schema
    ]
    return pa.table(columns, schema=spec.schema)


def _rows_by_id(dataset: lance.LanceDataset, spec: TableSpec, row_ids: pa.ChunkedArray) -> pa.Table:
    """Load whole rows by Lance's row ids."""
    parts = [spec.schema.empty_table()]
    for start in range(0, len(row_ids), ROWS_PER_LOOKUP):
        listed = ", ".join(map(str, row_ids[start : start + ROWS_PER_LOOKUP].to_pylist()))
        names = stored_names(dataset, spec.schema.names)
        found = dataset.to_table(columns=names, filter=f"_rowid IN ({listed})")
        batches = [with_nulls(batch, spec.schema) for batch in found.to_batches()]
        parts.append(pa.Table.from_batches(batches, schema=spec.schema))
    return pa.concat_tables(parts)
