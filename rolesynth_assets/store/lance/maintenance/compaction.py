"""Compaction of Lance tables: few large files instead of many small ones.

A Lance commit never changes a file. A file that was merged into a larger one therefore stays on
disk for the earlier versions; only a clean-up of versions (`versions.py`) removes files.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lance

    from rolesynth_assets.store.lance.specification import TableSpec

FOLD_FILES = 64  # most small files of a table: every scan opens each of them
FOLD_ROWS = 16_384  # = 64 micro-batches of 256; a file of that size is not folded again
FILE_ROWS = 131_072  # rows of a compacted file; a table of captions has some 100 MB in it
SMALL_BYTES = 16 * 2**20  # a file of images below it is small; ingest writes up to 64 MiB at once
FILE_BYTES = 256 * 2**20  # of images in a compacted file
DELETED_SHARE = 0.1  # of the rows of a file; one with more is written anew
STEP_ROWS = 1_048_576  # rows that are rewritten under one hold of the writer lock, some seconds


def with_bytes(spec: TableSpec) -> bool:
    """Return whether a table has a column of bytes, such as images."""
    from rolesynth_assets.store.lance.schemas import holds_bytes

    return any(holds_bytes(field.type) for field in spec.schema)


def fold_small_files(spec: TableSpec, dataset: lance.LanceDataset) -> None:
    """Merge the micro-batches of `dataset` if there are many; the caller holds the writer lock.

    Every row is rewritten about once, so the disk holds it twice. A table with bytes is not merged,
    since the copies would cost more than opening its files.
    """
    if with_bytes(spec) or len(dataset.get_fragments()) < FOLD_FILES:
        return
    if dataset.stats.dataset_stats(FOLD_ROWS)["num_small_files"] >= FOLD_FILES:
        dataset.optimize.compact_files(target_rows_per_fragment=FOLD_ROWS)


def small_files(spec: TableSpec, dataset: lance.LanceDataset) -> list[int]:
    """Return the ids of the files that a compaction would merge: neighbours that are small."""
    bytes_count = with_bytes(spec)
    runs = groupby(
        dataset.get_fragments(),
        lambda one: file_bytes(one) < SMALL_BYTES if bytes_count else one.physical_rows < FILE_ROWS,
    )
    neighbours = [[one.fragment_id for one in run] for small, run in runs if small]
    return [one for run in neighbours if len(run) > 1 for one in run]


def compact_step(spec: TableSpec, dataset: lance.LanceDataset) -> bool:
    """Merge some of the small files, and rewrite some of those with many deleted rows.

    The caller holds the writer lock.

    Returns:
        Whether another step would do more.
    """
    before = _to_rewrite(spec, dataset)
    if not before:
        return False
    others = [f.fragment_id for f in dataset.get_fragments() if f.fragment_id not in before]
    rows, step = FILE_ROWS, STEP_ROWS
    if with_bytes(spec):
        of = [f for f in dataset.get_fragments() if f.fragment_id in before]
        row = max(1, sum(map(file_bytes, of)) // max(1, sum(f.physical_rows for f in of)))
        rows = max(1, FILE_BYTES // row)
        step = 4 * rows  # 1 GiB
    dataset.optimize.compact_files(
        target_rows_per_fragment=rows,
        max_source_rows=step,
        materialize_deletions_threshold=DELETED_SHARE,
        excluded_fragment_ids=others,
    )
    return 0 < len(_to_rewrite(spec, dataset)) < len(before)


def _to_rewrite(spec: TableSpec, dataset: lance.LanceDataset) -> set[int]:
    worn = {
        f.fragment_id
        for f in dataset.get_fragments()
        if f.num_deletions > DELETED_SHARE * f.physical_rows
    }
    return worn.union(small_files(spec, dataset))


def rewrite_without_deleted(dataset: lance.LanceDataset) -> None:
    """Rewrite the files that have deleted rows, and no others; the caller holds the writer lock."""
    whole = [f.fragment_id for f in dataset.get_fragments() if not f.num_deletions]
    if len(whole) < len(dataset.get_fragments()):
        dataset.optimize.compact_files(
            materialize_deletions=True,
            materialize_deletions_threshold=0.0,  # also for a single deleted row
            excluded_fragment_ids=whole,
        )
    # an index keeps the keys of deleted rows until it is built again
    for index in dataset.describe_indices():
        kind = "BITMAP" if "Bitmap" in index.type_url else "BTREE"
        dataset.create_scalar_index(index.field_names[0], kind, replace=True)


def file_bytes(fragment: lance.LanceFragment) -> int:
    """Return the size of a fragment's files on disk."""
    return sum(file.file_size_bytes or 0 for file in fragment.data_files())
