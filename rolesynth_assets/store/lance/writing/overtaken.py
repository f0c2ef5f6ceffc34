"""Rows that two writers added at once, because the writer lock did not keep them apart.

Lance lets a merge see what was committed meanwhile, since the keys are declared, but not an append.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.store.lance.rows import partition_predicate
from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance


def drop_repeated(
    spec: TableSpec,
    partition: Mapping[str, str],
    keys: Sequence[str],
    dataset: lance.LanceDataset,
) -> int:
    """Delete rows of a partition that repeat a key; the row that was committed first stays.

    Two writers may do this at once: both choose the same rows.

    Args:
        spec: the table.
        partition: exactly one partition.
        keys: keys that were added.
        dataset: the table after the append.

    Returns:
        The number of deleted rows.
    """
    import polars as pl

    here = partition_predicate(spec, partition)
    stored = pl.DataFrame(dataset.to_table(columns=[spec.key], filter=here, with_row_id=True))
    added = pl.DataFrame({spec.key: pa.array(keys, pa.string())})
    repeated = (
        stored.join(added, on=spec.key, how="semi")
        .sort(spec.key, "_rowid")  # the id of a later commit is larger
        .filter(pl.col(spec.key) == pl.col(spec.key).shift(1))
    )
    if repeated.is_empty():
        return 0
    listed = ", ".join(map(str, repeated["_rowid"].to_list()))
    return dataset.delete(f"_rowid IN ({listed})")["num_deleted_rows"]
