"""Checks of the memory that reading a parquet file will take, before a page is unpacked.

Arrow unpacks a whole page and trusts the size in its header, so this module reads the headers
first. Format: parquet-format, `src/main/thrift/parquet.thrift`, `PageHeader`, in Thrift's compact
protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers.expansion import BombError, Expansion
from rolesynth_assets.images.readers.thrift import Compact, ThriftError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_HEADER_BYTES = 4096  # read at once; statistics may make a header longer
_MAX_HEADER_BYTES = 2**20
MAX_LISTED = 10_000_000
"""Values beyond one a row in a column of a row group: one row may have them all, and each takes
memory even if it is null."""
MAX_FIXED_BYTES = 1024
"""Bytes of a value of a fixed size in a list, such as a number or an id."""
MAX_GROUP_ROWS = 2**20
"""Rows of one row group; no usual writer makes more unless it is asked to."""
ROWS_FLOOR = 2**16
"""Rows that any table may have, whatever its bytes."""
_READ_BYTES = 32 * 2**20
"""Bytes that the rows decoded at once may take."""
_MOST_ROWS_AT_ONCE = 4096


class PageError(ValueError):
    """A page header cannot be read."""


def open_unexpanded(source: Any, **options: Any) -> pq.ParquetFile:
    """Open a parquet file such that values in lists which refer to a dictionary stay references.

    The references of one row may be millions, all to one large value, and Arrow would copy it for
    each of them. `PageGuard.batches` counts the bytes that they stand for.

    Args:
        source: path, or a file that can be sought.
        options: of `pq.ParquetFile`.

    Raises:
        OSError: the file cannot be read.
        pa.ArrowException: the file is not a parquet file.
        BombError: it has lists of long values of a fixed size, which Arrow would copy.
    """
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source, **options)
    columns = [file.schema.column(number) for number in range(len(file.schema))]
    repeated = [column for column in columns if column.max_repetition_level]
    longest = max((column.length or 0 for column in repeated), default=0)
    if longest > MAX_FIXED_BYTES:
        raise BombError(
            f"lists of values with {longest} bytes each, whatever they hold; the limit is "
            f"{MAX_FIXED_BYTES}"
        )
    listed = [column.path for column in repeated if column.physical_type == "BYTE_ARRAY"]
    if not listed:
        return file
    if isinstance(source, str | Path):
        file.close()
    return pq.ParquetFile(source, read_dictionary=listed, **options)


def expanded_bytes(array: pa.Array) -> int:
    """Return the bytes of an array with every reference to a dictionary replaced by its value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ExtensionArray):
        return expanded_bytes(array.storage)
    if isinstance(array, pa.DictionaryArray):
        sizes = pc.call_function("binary_length", [array.dictionary])
        return pc.call_function("sum", [sizes.take(array.indices).cast(pa.int64())]).as_py() or 0
    if isinstance(array, pa.ListArray | pa.LargeListArray | pa.FixedSizeListArray):
        return expanded_bytes(array.flatten())
    if isinstance(array, pa.StructArray):
        return sum(expanded_bytes(inner) for inner in array.flatten())
    return array.nbytes


def check_rows(file: pq.ParquetFile, limits: ContainerLimits) -> None:
    """Refuse a file with more rows than the limits, since null rows take no bytes.

    A reader of some rows decodes those before them in their row group, so its length is bounded.

    Raises:
        BombError: the file or a row group has more rows, or too many for its bytes.
    """
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    check_row_count(metadata.num_rows, sum(group.total_byte_size for group in groups), limits)
    longest = max((group.num_rows for group in groups), default=0)
    if longest > MAX_GROUP_ROWS:
        raise BombError(
            f"a row group of {longest} rows; the limit is {MAX_GROUP_ROWS}, so write the file with "
            "smaller row groups"
        )


def check_row_count(rows: int, size: int, limits: ContainerLimits) -> None:
    """Refuse a table with more rows than the limits.

    Args:
        rows: rows of the table.
        size: its bytes, without its footer.
        limits: bounds on rows, and on rows for each byte.

    Raises:
        BombError: it has more rows.
    """
    if rows > limits.max_members:
        raise BombError(f"{rows} rows; the limit is {limits.max_members}, limits.container")
    if rows > max(ROWS_FLOOR, limits.max_expansion * size):
        raise BombError(
            f"{rows} rows in {size} bytes; the limit is limits.container.max_expansion, "
            f"{limits.max_expansion:g} rows a byte"
        )


@dataclass(frozen=True)
class _Chunk:
    column: str
    start: int
    packed: int
    unpacked: int
    values: int


class PageGuard:
    """The column chunks of a parquet file, as its footer describes them.

    The footer is parsed here, since Arrow's Python objects crash the process on a damaged one.
    The bound on unpacked bytes is that of the file: the row groups share it in their order, and
    one that would exceed it is refused.
    """

    def __init__(
        self,
        file: IO[bytes],
        columns: Collection[str],
        limits: ContainerLimits,
        rows: tuple[int, int] | None = None,
    ) -> None:
        """Read the footer.

        Args:
            file: the parquet file, seekable.
            columns: top-level columns that will be read.
            limits: bounds on the unpacked size of one page, and of the columns of the file.
            rows: first row and end of what will be read; all if left out.

        Raises:
            PageError: the footer cannot be read.
            BombError: the footer lists some bytes of the file twice.
        """
        self._file, self._columns, self._limits = file, list(columns), limits
        self._largest: dict[int, int] = {}
        length = file.seek(0, 2)
        file.seek(max(length - 8, 0))
        size = int.from_bytes(file.read(4), "little")
        file.seek(max(length - 8 - size, 0))
        try:
            footer = Compact(file.read(size)).struct()
            groups = [[_chunk(c) for c in group[1]] for group in footer[4]]
            self._rows = [int(group[3]) for group in footer[4]]
        except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise PageError(f"a footer that cannot be read: {error}") from None
        self._packed = min(_distinct_bytes(groups), length)
        wanted = frozenset(columns)
        self._groups = [[chunk for chunk in group if chunk.column in wanted] for group in groups]
        self._refused = self._beyond()
        self._spent = Expansion(self._packed, limits, *self._share(rows))

    def _beyond(self) -> dict[int, int]:
        """Return the row groups that exceed the file's bound, with the bytes they add up to."""
        allowed = Expansion(self._packed, self._limits).allowed
        refused: dict[int, int] = {}
        unpacked = 0
        for group in range(len(self._groups)):
            total = unpacked + sum(chunk.unpacked for chunk in self._chunks(group))
            if total > allowed:
                refused[group] = total
            else:
                unpacked = total
        return refused

    def _share(self, rows: tuple[int, int] | None) -> tuple[float, int]:
        """Return which part of the file's rows is decoded for some, and the bytes of their pages.

        The rows before them in their row group are decoded too, and some after them.
        """
        if rows is None:
            return 1.0, 0
        start = decoded = pages = 0
        for group, count in enumerate(self._rows):
            end = start + count
            if start < rows[1] and rows[0] < end:
                decoded += min(count, rows[1] - start + _MOST_ROWS_AT_ONCE)
                pages += sum(chunk.unpacked for chunk in self._chunks(group))
            start = end
        return decoded / max(start, 1), pages

    def ranges(self, group: int) -> list[tuple[int, int]]:
        """Return start and length in bytes of the chunks of the columns.

        Raises:
            PageError: the footer has no such row group.
        """
        return [(chunk.start, chunk.packed) for chunk in self._chunks(group)]

    def rows_at_once(self, group: int) -> int:
        """Return how many rows of a checked row group may be decoded at once.

        A cell is at most as large as an unpacked page. A row of a list may have any number of them.
        """
        chunks = self._chunks(group)
        largest = sum(self._largest[chunk.start] for chunk in chunks)
        if any(chunk.values != self._rows[group] for chunk in chunks):
            return 1
        return max(1, min(_READ_BYTES // max(largest, 1), _MOST_ROWS_AT_ONCE))

    def _chunks(self, group: int) -> list[_Chunk]:
        if group >= len(self._groups):
            raise PageError(f"a footer without row group {group}")
        return self._groups[group]

    def batches(
        self, file: pq.ParquetFile, group: int, rows: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Check a row group, and decode its columns.

        Args:
            file: the same file, open in Arrow.
            group: index of the row group.
            rows: rows of one batch; as many as take bounded memory if left out.

        Raises:
            BombError: the row group, or what was decoded of the file so far, exceeds the limits.
            PageError: a page header cannot be read.
            OSError, pa.ArrowException: the row group is damaged.
        """
        self.check(group)
        found = file.iter_batches(
            rows or self.rows_at_once(group), [group], self._columns, use_threads=False
        )
        for batch in self._spent.each(found):
            self._spent.add(sum(expanded_bytes(column) for column in batch.columns))
            yield batch

    def check(self, group: int) -> None:
        """Refuse a row group that unpacks beyond the limits, before a page of it is unpacked.

        Raises:
            BombError: it unpacks beyond the limits, or the file has already done so.
            PageError: a page header cannot be read.
        """
        self._spent.add(0)
        if group in self._refused:
            raise BombError(self._spent.text(self._refused[group]))
        with self._spent.timed():
            self._check_pages(group)

    def _check_pages(self, group: int) -> None:
        for chunk in self._chunks(group):
            unpacked = values = largest = 0
            for size, listed in _pages(self._file, chunk.start, chunk.packed):
                if size > self._limits.max_page_bytes:
                    raise BombError(
                        f"a page of {size} bytes; the limit is "
                        f"limits.container.max_page_bytes, {self._limits.max_page_bytes}"
                    )
                unpacked, values = unpacked + size, values + listed
                largest = max(largest, size)
            self._largest[chunk.start] = largest if values == chunk.values else _READ_BYTES
            values = max(values, chunk.values) - self._rows[group]
            if values > MAX_LISTED:
                raise BombError(f"lists with {values} further values; the limit is {MAX_LISTED}")
            if unpacked > max(chunk.unpacked, self._limits.max_expansion * chunk.packed):
                raise BombError(
                    f"{chunk.packed} bytes unpack to {unpacked}; the footer states {chunk.unpacked}"
                )


def _distinct_bytes(groups: list[list[_Chunk]]) -> int:
    """Return the bytes of all column chunks.

    Raises:
        BombError: two of them overlap.
    """
    end = total = 0
    chunks = (chunk for group in groups for chunk in group if chunk.packed)
    for chunk in sorted(chunks, key=lambda chunk: chunk.start):
        if chunk.start < end:
            raise BombError(f"a footer that lists the bytes from {chunk.start} twice")
        end = chunk.start + chunk.packed
        total += chunk.packed
    return total


def _chunk(fields: dict[int, Any]) -> _Chunk:
    """Read a ColumnChunk, whose field 3 is its ColumnMetaData."""
    meta = fields[3]
    start = meta[9]
    if 0 < meta.get(11, 0) < start:  # the dictionary page comes first
        start = meta[11]
    packed, unpacked, values = meta[7], meta[6], meta[5]
    if not all(isinstance(n, int) and n >= 0 for n in (start, packed, unpacked, values)):
        raise ValueError("a column chunk without a place or a size")
    return _Chunk(meta[3][0].decode(), start, packed, unpacked, values)


def _pages(file: IO[bytes], start: int, length: int) -> Iterator[tuple[int, int]]:
    """Yield unpacked bytes and number of values of each page of a chunk of `length` bytes."""
    end = start + length
    while start < end:
        header, (unpacked, packed), values = _page_header(file, start)
        if unpacked < 0 or packed < 0 or values < 0:
            raise PageError(f"a page header at byte {start} states a negative size")
        yield unpacked, values
        start += header + packed


def _page_header(file: IO[bytes], start: int) -> tuple[int, tuple[int, int], int]:
    window = _HEADER_BYTES
    while True:
        file.seek(start)
        data = file.read(window)
        try:
            reader = Compact(data)
            fields = reader.struct()
            unpacked, packed = fields.get(2), fields.get(3)
            if not isinstance(unpacked, int) or not isinstance(packed, int):
                raise PageError(f"a page header at byte {start} without sizes")
            data_page = fields.get(5) or fields.get(8) or {}  # of format 1 or 2; else a dictionary
            values = data_page.get(1, 0) if isinstance(data_page, dict) else 0
            return reader.position, (unpacked, packed), values if isinstance(values, int) else 0
        except IndexError:
            if window >= _MAX_HEADER_BYTES or len(data) < window:
                raise PageError(f"no readable page header at byte {start}") from None
            window *= 16
        except ThriftError as error:
            raise PageError(f"the page header at byte {start} cannot be read: {error}") from None
