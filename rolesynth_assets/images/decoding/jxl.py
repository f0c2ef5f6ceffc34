"""The header of a JPEG XL file, read before its decoder, which decodes as soon as it opens a file.

Layout: ISO/IEC 18181-1, SizeHeader and ImageMetadata; 18181-2 for the boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_SIGNATURE = b"\xff\x0a"
_RATIOS = (None, (1, 1), (6, 5), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))  # width : height
_SIZE_BITS = (9, 13, 18, 30)


class JxlError(ValueError):
    """The file has no readable header."""


@dataclass(frozen=True)
class JxlHeader:
    """The first fields of an image.

    Attributes:
        size: (width, height) in pixels, before rotation.
        animated: whether it has several frames.
    """

    size: tuple[int, int]
    animated: bool


def codestream(data: bytes) -> bytes:
    """Return the image of a file without the boxes around it, which hold metadata.

    Raises:
        JxlError: a box is cut off, or there is no image.
    """
    if data.startswith(_SIGNATURE):
        return data
    parts: list[bytes] = []
    for kind, body in _boxes(data):
        if kind == b"jxlc":
            return body
        if kind == b"jxlp":  # after a number of 4 bytes, whose highest bit marks the last part
            parts.append(body[4:])
    whole = b"".join(parts)
    if not whole.startswith(_SIGNATURE):
        raise JxlError("no image in the file's boxes")
    return whole


def read_header(stream: bytes) -> JxlHeader:
    """Read the size and whether there are several frames.

    Args:
        stream: a codestream, as `codestream` returns it.

    Raises:
        JxlError: the header is cut off.
    """
    bits = _Bits(stream[2:42])
    size = _size(bits)
    if bits.take(1):  # all fields have their defaults
        return JxlHeader(size, False)
    if not bits.take(1):  # no extra fields
        return JxlHeader(size, False)
    bits.take(3)  # orientation, which the decoder applies
    if bits.take(1):
        _size(bits)  # the size to show
    if bits.take(1):
        _preview_size(bits)
    return JxlHeader(size, bool(bits.take(1)))


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        length, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(data[start : start + 8], "big"), at + 16
        end = at + length if length else len(data)
        if end < start or end > len(data):
            raise JxlError("a box is cut off")
        yield data[at + 4 : at + 8], data[start:end]
        at = end


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = _side(bits, small)
    ratio = _RATIOS[bits.take(3)]
    width = height * ratio[0] // ratio[1] if ratio else _side(bits, small)
    return width, height


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (bits.take(5) + 1)
    return bits.take(_SIZE_BITS[bits.take(2)]) + 1


def _preview_size(bits: _Bits) -> None:
    in_blocks = bits.take(1)
    ratio = -1
    for _ in range(2):
        if ratio <= 0:
            choice = bits.take(2)
            wide = ((0, 0, 5, 9) if in_blocks else (6, 8, 10, 12))[choice]
            bits.take(wide)
        if ratio < 0:
            ratio = bits.take(3)


class _Bits:
    """A reader of bits, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise JxlError("a header that is cut off")
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return taken
