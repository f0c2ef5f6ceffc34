"""A local copy of the parts of a parquet file in a bucket that are read.

The footer of such a file states sizes, and the pages may have others. Asking a bucket for each page
header takes as long as reading the file, so the column chunks of one row group are copied to the
disk, checked there, and read from there.
"""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import IO, Self

from rolesynth_assets.images.readers.parquet_pages import PageError

MAX_FOOTER_BYTES = 256 * 2**20
_PIECE = 2**20


class LocalChunks:
    """A sparse file on the disk, as long as the source, with the bytes that were fetched."""

    def __init__(self, source: IO[bytes]) -> None:
        """Fetch the footer.

        Args:
            source: the parquet file, seekable.

        Raises:
            PageError: the footer is larger than `MAX_FOOTER_BYTES`.
            OSError: the disk is full.
        """
        self._source = source
        self._length = source.seek(0, 2)
        self._copy = tempfile.NamedTemporaryFile(prefix="rolesynth-parquet-")
        self._copy.truncate(self._length)
        source.seek(max(self._length - 8, 0))
        size = int.from_bytes(source.read(4), "little") + 8
        if size > MAX_FOOTER_BYTES:
            self._copy.close()
            raise PageError(f"a footer of {size} bytes; the limit is {MAX_FOOTER_BYTES}")
        self._footer = max(self._length - size, 0)
        self.fetch(0, min(4, self._length))
        self.fetch(self._footer, self._length - self._footer)

    @property
    def path(self) -> str:
        """Path of the copy."""
        return self._copy.name

    def fetch(self, start: int, length: int) -> None:
        """Copy a range of the source, as far as the source goes."""
        at, end = min(start, self._length), min(start + length, self._length)
        self._source.seek(at)
        self._copy.seek(at)
        while at < end and (piece := self._source.read(min(_PIECE, end - at))):
            self._copy.write(piece)
            at += len(piece)
        self._copy.flush()

    def forget(self) -> None:
        """Give the disk back what was fetched before; the footer stays."""
        self._copy.truncate(0)
        self._copy.truncate(self._length)
        self.fetch(self._footer, self._length - self._footer)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the copy."""
        self._copy.close()
