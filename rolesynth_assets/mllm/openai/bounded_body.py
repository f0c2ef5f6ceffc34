"""Limits on the bytes of a server's answers, including compressed ones.

The client reads a whole answer, also that of an error, and decompresses it as it arrives: 1 MB may
become 1 GB of text. This module counts the bytes, and decompresses them piece by piece, before the
client sees them. The client parses the body of an error as JSON at once, so a body of an error ends
where it has too many values.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

import httpx2

from rolesynth_assets.bounded_json import count_values

ACCEPTED = "gzip"
"""The content encoding that the client accepts; an answer in another one is refused."""
MAX_ERROR_VALUES = 100_000
"""Commas and opening brackets of an error's body, after which the rest is dropped; a request that
the server echoes has far fewer."""
_ERROR = 400
"""The lowest status of an error."""
_PIECE = 64 * 2**10


class BodyTooLargeError(httpx2.RequestError):
    """An answer has more bytes than the limit; the client wraps this error in its own."""


class _Bound:
    """Counts and decompresses the bytes of one answer."""

    def __init__(self, encoding: str, max_bytes: int, max_values: int | None) -> None:
        self._left = self._max_bytes = max_bytes
        self._values_left = max_values
        names = [name.strip().lower() for name in encoding.split(",")]
        names = [name for name in names if name not in ("", "identity")]
        if len(names) > 1 or any(name != "gzip" for name in names):
            raise httpx2.DecodingError(f"an answer packed as {encoding!r}, which was not asked for")
        self._packed = zlib.decompressobj(wbits=31) if names else None

    @property
    def full(self) -> bool:
        """Whether the rest of the answer is to be dropped."""
        return self._values_left is not None and self._values_left < 0

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield `data` decompressed, in pieces.

        Raises:
            BodyTooLargeError: the answer exceeds the limit.
            httpx2.DecodingError: the answer is not compressed as its header says.
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
            raise httpx2.DecodingError(f"an answer that cannot be unpacked: {error}") from error

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise BodyTooLargeError(f"an answer of more than {self._max_bytes} bytes")
        if self._values_left is not None:
            self._values_left -= count_values(piece)
        return piece


class _AsyncBody(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, bound: _Bound) -> None:
        self._stream, self._bound = stream, bound

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self._stream:
            for piece in self._bound.pieces(data):
                if self._bound.full:
                    return
                yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def bounded(max_bytes: int) -> dict[str, list[Callable[..., Any]]]:
    """Return the event hooks of an `AsyncClient` whose answers end at `max_bytes`."""

    async def bound(response: httpx2.Response) -> None:
        stream = cast(httpx2.AsyncByteStream, response.stream)
        response.stream = _AsyncBody(stream, _bound_of(response, max_bytes))

    return {"response": [bound]}


def _bound_of(response: httpx2.Response, max_bytes: int) -> _Bound:
    # removed, because the answer is decompressed here and not by the client
    encoding = response.headers.pop("content-encoding", "")
    return _Bound(encoding, max_bytes, MAX_ERROR_VALUES if response.status_code >= _ERROR else None)
