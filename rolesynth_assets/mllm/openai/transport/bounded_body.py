"""Limits on the bytes of a server's answers, including compressed ones.

1 MB of an answer may become 1 GB of text. This module counts the bytes and decompresses them piece
by piece. A body of an error ends where it has too many values.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

import aiohttp

from rolesynth_assets.bounded_json import count_values

ACCEPTED = "gzip"
"""The content encoding that the client accepts; an answer in another one is refused."""
MAX_ERROR_VALUES = 100_000
"""Commas and opening brackets of an error's body, after which the rest is dropped; a request that
the server echoes has far fewer."""
_ERROR = 400
"""The lowest status of an error."""
_PIECE = 64 * 2**10


class BodyTooLargeError(Exception):
    """An answer has more bytes than the limit."""


class _Bound:
    """Counts and decompresses the bytes of one answer."""

    def __init__(self, encoding: str, max_bytes: int, max_values: int | None) -> None:
        self._left = self._max_bytes = max_bytes
        self._values_left = max_values
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if len(names) > 1 or any(name != "gzip" for name in names):
            raise aiohttp.ClientPayloadError(
                f"an answer packed as {encoding!r}, which was not asked for"
            )
        self._packed = zlib.decompressobj(wbits=31) if names else None

    @property
    def full(self) -> bool:
        """Whether the rest of the answer is to be dropped."""
        return self._values_left is not None and self._values_left < 0

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield `data` decompressed, in pieces.

        Raises:
            BodyTooLargeError: the answer exceeds the limit.
            aiohttp.ClientPayloadError: the answer is not compressed as its header says.
        """
        if self._packed is None:
            yield self._counted(data)
            return
        try:
            piece = b"."
            while piece and not self._packed.eof:
                piece = self._packed.decompress(data, _PIECE)
                data = self._packed.unconsumed_tail
                yield self._counted(piece)
        except zlib.error as error:
            raise aiohttp.ClientPayloadError(
                f"an answer that cannot be unpacked: {error}"
            ) from error

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLargeError(f"an answer of more than {self._max_bytes} bytes")
        if self._values_left is not None:
            self._values_left -= count_values(piece)
        return piece


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Return the body of an answer, unpacked; see `pieces_of`."""
    return b"".join([piece async for piece in pieces_of(response, max_bytes)])


async def pieces_of(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body of an answer, unpacked, as it arrives.

    Raises:
        BodyTooLargeError: it has more than `max_bytes` bytes.
        aiohttp.ClientPayloadError: it ends early, or is not compressed as its header says.
    """
    encoding = response.headers.get("content-encoding", "")
    bound = _Bound(encoding, max_bytes, MAX_ERROR_VALUES if response.status >= _ERROR else None)
    async for data in response.content.iter_any():
        for piece in bound.pieces(data):
            if bound.full:
                return
            yield piece
