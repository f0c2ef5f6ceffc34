"""Scalar indexes of a Lance table: its key, its foreign keys and its partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance

UNINDEXED_ROWS = 20_000  # rows that a look-up may read without an index, some milliseconds
UNINDEXED_SHARE = 0.05  # of a large table, so that an index is extended ever more rarely


def indexed_columns(spec: TableSpec) -> dict[str, str]:
    """Return the kind of index by column: a BITMAP for a column of few values, else a BTREE."""
    few = (*spec.partition_by, "role_fingerprint")
    columns = dict.fromkeys((spec.key, *spec.of, *spec.partition_by))
    return {
        column: "BITMAP" if column in few and column != spec.key else "BTREE"
        for column in columns
        if column not in spec.joined
    }


def unindexed_rows(spec: TableSpec, dataset: lance.LanceDataset) -> dict[str, int]:
    """Count by column the rows that a look-up has to scan, since no index has them."""
    rows = dataset.count_rows()
    indexed = {index.field_names[0]: index.name for index in dataset.describe_indices()}
    return {
        column: dataset.stats.index_stats(indexed[column])["num_unindexed_rows"]
        if column in indexed
        else rows
        for column in indexed_columns(spec)
    }


def most_unindexed(rows: int) -> int:
    """Return how many rows of a table of `rows` rows may lack an index."""
    return max(UNINDEXED_ROWS, int(UNINDEXED_SHARE * rows))


def index_column(spec: TableSpec, dataset: lance.LanceDataset, column: str, most: int) -> None:
    """Index a column where more than `most` rows lack it; the caller holds the writer lock."""
    index = next((i for i in dataset.describe_indices() if i.field_names == [column]), None)
    if index is None:
        if dataset.count_rows() > most:
            dataset.create_scalar_index(column, indexed_columns(spec)[column])  # type: ignore[arg-type]  # the kinds are Lance's
    elif dataset.stats.index_stats(index.name)["num_unindexed_rows"] > most:
        dataset.optimize.optimize_indices(index_names=[index.name])
