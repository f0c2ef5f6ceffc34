"""Images in table columns: parquet files and Lance datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.descriptor import ShardDescriptor, is_url
from rolesynth_assets.images.limits import ContainerLimits, limits_in_use
from rolesynth_assets.images.places.buckets import CHUNK_BYTES, open_source
from rolesynth_assets.images.readers.cells import cell_members
from rolesynth_assets.images.readers.columns import pick_column
from rolesynth_assets.images.readers.expansion import BombError, Expansion
from rolesynth_assets.images.readers.lance_apart import DamagedLanceError, LanceRows
from rolesynth_assets.images.readers.local_chunks import LocalChunks
from rolesynth_assets.images.readers.member import Member
from rolesynth_assets.images.readers.parquet_pages import (
    PageGuard,
    check_rows,
    open_unexpanded,
)


@contextmanager
def open_parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """Open a parquet file by path or URL, such that a row group need not fit in memory.

    Raises:
        OSError: the file does not exist, or cannot be read.
        pa.ArrowException: the file is not a parquet file.
        BucketError: its bucket cannot be read.
    """
    if is_url(uri):
        with (
            open_source(uri) as source,
            open_unexpanded(source, buffer_size=CHUNK_BYTES) as file,
        ):
            yield file
    else:
        with open_unexpanded(uri, memory_map=True) as file:
            yield file


def table_fault(uri: str) -> str:
    """Return the reason why a parquet file or a Lance dataset cannot be opened.

    Raises:
        BucketError: its bucket cannot be read.
    """
    import lance

    try:
        if uri.lower().endswith(".parquet"):
            with open_parquet(uri):
                pass
        else:
            dataset = lance.dataset(uri)
            _ = dataset.count_rows(), dataset.schema
    except BaseException as error:
        if not is_fault(error):
            raise
        return f"{type(error).__name__}: {error}"
    return "it could not be opened when it was registered; ingest its folder again"


def is_fault(error: BaseException) -> bool:
    """Whether an error concerns the file; a BucketError does not, a panic in Lance does."""
    kinds = (OSError, ValueError, pa.ArrowException)
    return isinstance(error, kinds) or type(error).__name__ == "PanicException"


def iter_parquet(
    descriptor: ShardDescriptor, max_bytes: int, container: ContainerLimits | None = None
) -> Iterator[Member]:
    """Read a range of rows of a parquet file, row group by row group.

    A row group that cannot be read gives one `broken_archive` row, and reading continues with the
    next. A row group with which the file unpacks beyond the limits gives an `archive_bomb` row.

    Args:
        descriptor: a shard of kind parquet, with `column`.
        max_bytes: a larger cell is refused.
        container: bounds on the file.

    Yields:
        Members in row order; `source` is `path::row`.

    Raises:
        BucketError: the file's bucket cannot be read.
    """
    uri, container = descriptor.uri, container or limits_in_use().container
    with ExitStack() as opened:
        try:
            source = opened.enter_context(open_source(uri))
            chunks = opened.enter_context(LocalChunks(source)) if is_url(uri) else None
            here = chunks.path if chunks else uri
            file = opened.enter_context(open_parquet(here))
            check_rows(file, container)
            column = pick_column(file.schema_arrow, descriptor.column, uri)
            pages = opened.enter_context(open(here, "rb"))
            stop = _stop(descriptor, file.metadata.num_rows)
            guard = PageGuard(pages, [column], container, (descriptor.first_row, stop))
        except (OSError, ValueError, pa.ArrowException) as error:
            yield _broken(uri, error)
            return
        group_start = 0
        for group in range(file.metadata.num_row_groups):
            start = group_start
            group_start += file.metadata.row_group(group).num_rows
            if group_start <= descriptor.first_row or start >= stop:
                continue
            try:
                if chunks:
                    chunks.forget()
                    for first, length in guard.ranges(group):
                        chunks.fetch(first, length)
                cut = _cut(guard.batches(file, group), start, descriptor.first_row, stop)
                yield from _iter_cells(cut, descriptor, max_bytes)
            except (OSError, ValueError, pa.ArrowException) as error:
                yield _broken(f"{uri}::rows {start}-{group_start - 1}", error)


def lance_bytes(uri: str) -> int:
    """Return the bytes of the data files of a Lance dataset."""
    return sum(path.stat().st_size for path in Path(uri).glob("data/*"))


def iter_lance(
    descriptor: ShardDescriptor, max_bytes: int, container: ContainerLimits | None = None
) -> Iterator[Member]:
    """Read a range of rows of one version of a Lance dataset.

    Args:
        descriptor: a shard of kind lance, with `column` and `version`.
        max_bytes: a larger cell is refused.
        container: bounds on the dataset.

    Yields:
        Members in row order; `source` is `path::row`.

    Raises:
        LanceReaderStartError: the process that reads it does not start.
    """
    container = container or limits_in_use().container
    try:
        rows = _counted(LanceRows(descriptor, container.max_seconds), descriptor, container)
        yield from _iter_cells(rows, descriptor, max_bytes)
    except (DamagedLanceError, BombError) as error:
        yield _broken(descriptor.uri, error)


def _stop(descriptor: ShardDescriptor, available: int) -> int:
    rows = descriptor.rows if descriptor.rows is not None else available
    return min(descriptor.first_row + rows, available)


def _cut(
    batches: Iterable[pa.RecordBatch], row: int, start: int, stop: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the first row number and the part in [start, stop) of batches that begin at `row`."""
    for batch in batches:
        first, last = max(start - row, 0), min(stop - row, batch.num_rows)
        if first < last:
            yield row + first, batch.slice(first, last - first)
        row += batch.num_rows
        if row >= stop:
            return


def _counted(
    batches: LanceRows, descriptor: ShardDescriptor, container: ContainerLimits
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield the first row number and the rows of batches, within the bounds on their bytes."""
    found = iter(batches)
    begin = [*islice(found, 1)]
    part = (descriptor.rows or 0) / max(batches.rows_in_all, 1)
    spent = Expansion(lance_bytes(descriptor.uri), container, part)
    row = descriptor.first_row
    for batch in spent.each(chain(begin, found)):
        spent.add(batch.nbytes)
        yield row, batch
        row += batch.num_rows


def _iter_cells(
    batches: Iterable[tuple[int, pa.RecordBatch]],
    descriptor: ShardDescriptor,
    max_bytes: int,
) -> Iterator[Member]:
    for first, batch in batches:
        cells = batch.column(0)
        if isinstance(cells, pa.ExtensionArray):
            cells = cells.storage
        for offset, cell in enumerate(cells):
            yield from cell_members(f"{descriptor.uri}::{first + offset}", cell, max_bytes)


def _broken(source: str, error: BaseException) -> Member:
    if isinstance(error, BombError):
        return Member(source, Reject(RejectReason.ARCHIVE_BOMB, str(error)))
    own_words = isinstance(error, DamagedLanceError)
    detail = str(error) if own_words else f"{type(error).__name__}: {error}"
    return Member(source, Reject(RejectReason.BROKEN_ARCHIVE, detail))
