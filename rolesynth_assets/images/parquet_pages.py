"""What reading a parquet file will take of memory, known before a page is unpacked.

Arrow unpacks a page whole and trusts the size that its header states, so the headers are read here
first. Format: parquet-format, `src/main/thrift/parquet.thrift`, `PageHeader`, in Thrift's compact
protocol.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import IO, TYPE_CHECKING

from rolesynth_assets.images.limits import EXPANSION_FLOOR, ContainerLimits

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_HEADER_BYTES = 4096  # read at once; statistics may make a header longer
_MAX_HEADER_BYTES = 2**20
_MAX_DEPTH = 16


class BombError(ValueError):
    """A row group or a file unpacks beyond the limits."""


class PageError(ValueError):
    """A page header cannot be read."""


def check_rows(file: pq.ParquetFile, limits: ContainerLimits) -> None:
    """Refuse a file of more rows than the limit: null rows take no bytes.

    Raises:
        BombError: it has.
    """
    rows = file.metadata.num_rows
    if rows > limits.max_members:
        raise BombError(f"{rows} rows; the limit is {limits.max_members}, limits.container")


def check_group(
    file: pq.ParquetFile,
    pages: IO[bytes] | None,
    group: int,
    columns: Collection[str],
    limits: ContainerLimits,
) -> None:
    """Refuse a row group that unpacks beyond the limits.

    Args:
        file: The open file.
        pages: The same file, to read page headers from; None trusts the file's own metadata.
        group: Index of the row group.
        columns: Top-level columns that will be read.
        limits: What one page and one column of the group may unpack to.

    Raises:
        BombError: it unpacks beyond the limits.
        PageError: a page header cannot be read.
    """
    row_group = file.metadata.row_group(group)
    for index in range(row_group.num_columns):
        chunk = row_group.column(index)
        if chunk.path_in_schema.split(".", 1)[0] not in columns:
            continue
        packed, unpacked = chunk.total_compressed_size, chunk.total_uncompressed_size
        if pages is not None:
            start = chunk.data_page_offset
            if chunk.has_dictionary_page and 0 < (chunk.dictionary_page_offset or 0) < start:
                start = chunk.dictionary_page_offset
            sizes = list(_page_sizes(pages, start, packed))
            largest = max(sizes, default=0)
            if largest > limits.max_page_bytes:
                raise BombError(
                    f"a page of {largest} bytes; the limit is limits.container.max_page_bytes, "
                    f"{limits.max_page_bytes}"
                )
            unpacked = max(unpacked, sum(sizes))
        check_expansion(unpacked, packed, limits)


def check_expansion(unpacked: int, packed: int, limits: ContainerLimits) -> None:
    """Refuse what unpacks to too many bytes for each byte that it has.

    Raises:
        BombError: it does.
    """
    if unpacked > max(EXPANSION_FLOOR, limits.max_expansion * packed):
        raise BombError(
            f"{packed} bytes unpack to {unpacked} or more; the limit is "
            f"limits.container.max_expansion, {limits.max_expansion:g} times"
        )


def _page_sizes(file: IO[bytes], start: int, length: int) -> Iterator[int]:
    """Yield the unpacked bytes of each page of a column chunk of `length` bytes."""
    end = start + length
    while start < end:
        header, size = _page_header(file, start)
        unpacked, packed = size
        if unpacked < 0 or packed < 0:
            raise PageError(f"a page header at byte {start} states a negative size")
        yield unpacked
        start += header + packed


def _page_header(file: IO[bytes], start: int) -> tuple[int, tuple[int, int]]:
    window = _HEADER_BYTES
    while True:
        file.seek(start)
        data = file.read(window)
        try:
            reader = _Compact(data)
            fields = reader.integers()
            return reader.position, (fields.get(2, -1), fields.get(3, -1))
        except IndexError:
            if window >= _MAX_HEADER_BYTES or len(data) < window:
                raise PageError(f"no readable page header at byte {start}") from None
            window *= 16


class _Compact:
    """A reader of Thrift's compact protocol; raises IndexError where the data ends."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def integers(self) -> dict[int, int]:
        """Read a struct and return its integer fields by their number."""
        found: dict[int, int] = {}
        number = 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            number = number + delta if delta else self._zigzag()
            if kind in (4, 5, 6):
                found[number] = self._zigzag()
            else:
                self._skip(kind, 0)
        return found

    def _byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise PageError("a page header with an endless number")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, kind: int, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise PageError("a page header that nests too deep")
        if kind == 3:
            self.position += 1
        elif kind in (4, 5, 6):
            self._varint()
        elif kind == 7:
            self.position += 8
        elif kind == 8:
            length = self._varint()  # moves the position
            self.position += length
        elif kind in (9, 10):
            self._skip_list(depth)
        elif kind == 12:
            while inner := self._byte():
                if not inner >> 4:
                    self._varint()
                self._skip(inner & 15, depth + 1)
        elif kind not in (1, 2):
            raise PageError(f"a page header with a field of type {kind}")

    def _skip_list(self, depth: int) -> None:
        size = self._byte()
        count, kind = size >> 4, size & 15
        count = self._varint() if count == 15 else count
        for _ in range(count):
            if kind in (1, 2):
                self.position += 1
            else:
                self._skip(kind, depth + 1)
            if self.position > len(self.data):
                raise IndexError
