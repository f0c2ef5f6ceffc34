"""Few large files instead of many small ones.

A Lance commit never changes a file, so a file merged into a larger one stays on disk for the
versions that were made before. Nothing here removes a version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.store.schemas import TableSpec

if TYPE_CHECKING:
    import lance

FOLD_FILES = 64  # small files that a table may have: each one is opened by every scan
FOLD_ROWS = 16_384  # = 64 micro-batches of 256; a file of that size is not folded again


def fold_small_files(spec: TableSpec, dataset: lance.LanceDataset) -> None:
    """Merge the micro-batches of `dataset` once there are many; the caller holds the writer lock.

    Every row is rewritten about once, so the disk holds it twice. A table of bytes is left alone:
    there the copies would cost more than the opening of files.
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
