"""Compaction of Lance tables: few large files instead of many small ones.

A Lance commit never changes a file. A file that was merged into a larger one therefore stays on
disk for the earlier versions; only `forget_earlier_versions` removes files.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.store.lance.specification import TableSpec

if TYPE_CHECKING:
    import lance

FOLD_FILES = 64  # most small files of a table: every scan opens each of them
FOLD_ROWS = 16_384  # = 64 micro-batches of 256; a file of that size is not merged again


def fold_small_files(spec: TableSpec, dataset: lance.LanceDataset) -> None:
    """Merge the micro-batches of `dataset` if there are many; the caller holds the writer lock.

    Every row is rewritten about once, so the disk holds it twice. A table with bytes is not merged,
    since the copies would cost more than opening its files.
    """
    if any(pa.types.is_binary(field.type) for field in spec.schema):
        return
    if len(dataset.get_fragments()) < FOLD_FILES or (
        dataset.stats.dataset_stats(FOLD_ROWS)["num_small_files"] < FOLD_FILES
    ):
        return
    dataset.optimize.compact_files(target_rows_per_fragment=FOLD_ROWS)


def compact_and_index(spec: TableSpec, dataset: lance.LanceDataset) -> None:
    """Merge the files of `dataset` and index its columns; the caller holds the writer lock."""
    dataset.optimize.compact_files()
    indexed = {index.field_names[0] for index in dataset.describe_indices()}
    for column in (spec.key, *spec.partition_by):
        if column not in indexed:
            dataset.create_scalar_index(column, "BTREE" if column == spec.key else "BITMAP")
    dataset.optimize.optimize_indices()


def index_key(spec: TableSpec, dataset: lance.LanceDataset, unindexed: int) -> None:
    """Index the key column where more than `unindexed` rows lack it; under the writer lock."""
    index = next((i for i in dataset.describe_indices() if i.field_names == [spec.key]), None)
    if index is None:
        if dataset.count_rows() > unindexed:
            dataset.create_scalar_index(spec.key, "BTREE")
    elif dataset.stats.index_stats(index.name)["num_unindexed_rows"] > unindexed:
        dataset.optimize.optimize_indices(index_names=[index.name])


def rewrite_without_deleted(dataset: lance.LanceDataset) -> None:
    """Rewrite the files that have deleted rows; the caller holds the writer lock."""
    dataset.optimize.compact_files(
        materialize_deletions=True,
        materialize_deletions_threshold=0.0,  # also for a single deleted row
    )
    # an index keeps the keys of deleted rows until it is built again
    for index in dataset.describe_indices():
        kind = "BITMAP" if "Bitmap" in index.type_url else "BTREE"
        dataset.create_scalar_index(index.field_names[0], kind, replace=True)


def forget_earlier_versions(dataset: lance.LanceDataset) -> int:
    """Remove all versions but the latest, and the files that only they used.

    The caller holds the writer lock, so no other writer needs a file that no version uses.

    Returns:
        Number of bytes removed from the disk.
    """
    done = dataset.cleanup_old_versions(older_than=timedelta(0), delete_unverified=True)
    return done.bytes_removed
