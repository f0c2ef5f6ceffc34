"""Sequential reading of compressed files, with bounds on the unpacked size and the time."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import IO, Protocol

from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers.expansion import Expansion

CHUNK_BYTES = 64 * 2**10
MAX_DICTIONARY_BYTES = 128 * 2**20  # of an xz file; `xz -9` takes 65 MiB to unpack


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """The decompressor of `zlib` with the interface of those of `bz2` and `lzma`."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._gave_all = True  # False if more output may come without further input

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return self._gave_all and not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        piece = self._zlib.decompress(self._zlib.unconsumed_tail + data, max(max_length, 0))
        self._gave_all = len(piece) < max_length
        return piece


def _xz() -> _Decompressor:
    return lzma.LZMADecompressor(memlimit=MAX_DICTIONARY_BYTES)


_KINDS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b\x08", _Gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", _xz),
    (b"\x5d\x00\x00\x80", _xz),
)


def decompressor_of(head: bytes) -> Callable[[], _Decompressor] | None:
    """Return the decompressor factory for a file that begins with `head`; None for a plain file."""
    return next((make for magic, make in _KINDS if head.startswith(magic)), None)


class Unpacked:
    """The content of a compressed file, as a file that can be read and sought only forwards.

    Files of several streams, as `pigz` and `xz -T` write them, are read to the end.
    """

    def __init__(
        self, file: IO[bytes], make: Callable[[], _Decompressor], limits: ContainerLimits
    ) -> None:
        self._file, self._make = file, make
        self._spent = Expansion(0, limits)
        self._decompressor = make()
        self._position = 0
        self._waiting = b""  # packed bytes after the end of a stream
        self._streams = 0

    def tell(self) -> int:
        """Return the bytes unpacked so far."""
        return self._position

    def seek(self, position: int) -> int:
        """Go forwards to `position`, or to the end.

        Raises:
            BombError: the skipped content unpacks beyond the limits.
            ValueError: the position is before the current one.
        """
        if position < self._position:
            raise ValueError(f"byte {position} lies before byte {self._position}")
        while self._position < position:
            if not self._piece(min(CHUNK_BYTES, position - self._position)):
                break
        return self._position

    def read(self, size: int) -> bytes:
        """Read `size` bytes, fewer at the end.

        Raises:
            BombError: the content unpacks beyond the limits.
            EOFError: the file ends within a stream.
            OSError, zlib.error, lzma.LZMAError: the file is damaged.
        """
        pieces: list[bytes] = []
        while size > 0 and (piece := self._piece(min(CHUNK_BYTES, size))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _piece(self, size: int) -> bytes:
        """Unpack at most `size` bytes; none at the end."""
        piece = None
        while piece is None:
            with self._spent.timed():  # each step: also a run of streams that hold nothing
                piece = self._step(size)
        self._position += len(piece)
        self._spent.add(len(piece))
        return piece

    def _step(self, size: int) -> bytes | None:
        """Return the next bytes; none at the end, None where a step gives none yet."""
        if self._decompressor.eof:
            self._streams += 1
            self._waiting = self._decompressor.unused_data or self._more()
            if not self._waiting.strip(b"\x00"):  # padding, or the end
                return b""
            self._decompressor = self._make()
        data = self._waiting
        self._waiting = b""
        if not data and self._decompressor.needs_input:
            data = self._more()
            if not data:
                raise EOFError("the compressed file ends within its stream")
        try:
            return self._decompressor.decompress(data, size) or None
        except (OSError, zlib.error, lzma.LZMAError):
            if self._streams and data:  # trailing data is not a stream
                return b""
            raise

    def _more(self) -> bytes:
        data = self._file.read(CHUNK_BYTES)
        self._spent.add_packed(len(data))
        return data
