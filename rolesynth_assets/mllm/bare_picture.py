"""Removal of the metadata of an encoded picture, such as place, time and author.

JPEG, PNG and WebP files are lists of parts. Parts that decide how a pixel looks stay byte for byte;
all others are removed: EXIF with its GPS position, XMP, IPTC, texts, comments, thumbnails, and
anything after the end of the picture. No pixel is encoded again.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from rolesynth_assets.pictures.opened import open_picture

_ORIENTATION = 0x0112
_UPRIGHT = 1

_JFIF = b"JFIF\0"
_JFIF_BYTES = 14
"""Length of JFIF's part up to its thumbnail."""
_KEPT_APPLICATION_PARTS = {0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""JPEG application markers of the parts that define colours, and how these parts begin."""
_END_OF_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""Within a scan, FF is followed by 00 or by a restart number; anything else ends the scan."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    (
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"bKGD",
        b"sBIT",
        b"pHYs",
        b"cHRM",
        b"gAMA",
        b"iCCP",
        b"sRGB",
        b"cICP",
        b"mDCV",
        b"cLLI",
        b"acTL",
        b"fcTL",
        b"fdAT",
    )
)
_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP", b"ANIM", b"ANMF"))
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04
"""Flags of VP8X."""


class OddContainerError(ValueError):
    """The bytes do not have the structure of their format."""


def without_metadata(image: bytes) -> bytes:
    """Return the picture with only its pixels, orientation and colour profile.

    An orientation in EXIF or XMP is kept as the only field of a new EXIF part. A picture without
    anything to remove is returned unchanged.

    Args:
        image: an encoded JPEG, PNG or WebP.

    Raises:
        OddContainerError: the bytes are of another format, or a part is cut off.
    """
    if image.startswith(b"\xff\xd8"):
        strip = _bare_jpeg
    elif image.startswith(_PNG_SIGNATURE):
        strip = _bare_png
    elif image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        strip = _bare_webp
    else:
        raise OddContainerError("neither JPEG nor PNG nor WebP")
    try:
        bare = strip(image, b"")
        if bare == image:
            return image
        orientation = _orientation(image)
        return strip(image, _exif(orientation)) if orientation != _UPRIGHT else bare
    except (struct.error, IndexError):
        raise OddContainerError("a part is cut off") from None


def _orientation(image: bytes) -> int:
    """Return EXIF's orientation, 1 to 8, as a server that rotates pictures would read it."""
    try:
        with open_picture(image) as picture:
            value = picture.getexif().get(_ORIENTATION)
    except Exception:  # EXIF is untrusted input; an unreadable orientation has no effect
        return _UPRIGHT
    return value if isinstance(value, int) and 1 <= value <= 8 else _UPRIGHT


def _exif(orientation: int) -> bytes:
    """Return a TIFF directory with one field."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, _ORIENTATION, 3, 1, orientation, 0, 0)


def _bare_jpeg(image: bytes, exif: bytes) -> bytes:
    parts = [b"\xff\xd8"]
    for marker, part in _jpeg_parts(image):
        payload = part[4:]
        if marker == 0xE0:
            if payload.startswith(_JFIF) and len(payload) >= _JFIF_BYTES:
                no_thumbnail = payload[: _JFIF_BYTES - 2] + b"\0\0"
                parts.append(struct.pack(">BBH", 0xFF, marker, _JFIF_BYTES + 2) + no_thumbnail)
            continue
        if exif:  # after JFIF, which is the first if there is one
            body = b"Exif\0\0" + exif
            parts.append(struct.pack(">BBH", 0xFF, 0xE1, len(body) + 2) + body)
            exif = b""
        if marker == 0xFE or 0xE1 <= marker <= 0xEF:
            kept = _KEPT_APPLICATION_PARTS.get(marker)
            if kept is None or not payload.startswith(kept):
                continue
        parts.append(part)
    return b"".join(parts)


def _jpeg_parts(image: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and bytes of each part after the start; a scan is part of its header's part."""
    at = 2
    while at < len(image):
        at = image.find(b"\xff", at)  # decoders skip bytes between two parts
        if at < 0:
            return
        while image[at] == 0xFF:  # fill bytes are allowed before a marker
            at += 1
        marker, start = image[at], at - 1
        at += 1
        if marker == 0xD9:
            yield marker, image[start:at]
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            yield marker, image[start:at]
            continue
        (length,) = struct.unpack_from(">H", image, at)
        at += length
        if length < 2 or at > len(image):
            raise OddContainerError("a part is cut off")
        if marker == 0xDA:
            end = _END_OF_SCAN.search(image, at)
            at = end.start() if end else len(image)
        yield marker, image[start:at]


def _bare_png(image: bytes, exif: bytes) -> bytes:
    parts, at = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while at < len(image):
        length, kind = struct.unpack_from(">I4s", image, at)
        end = at + 12 + length
        if end > len(image):
            raise OddContainerError("a part is cut off")
        if kind in _PNG_KEPT:
            parts.append(image[at:end])
        if kind == b"IHDR" and exif:
            body = b"eXIf" + exif
            parts.append(struct.pack(">I", len(exif)) + body + struct.pack(">I", zlib.crc32(body)))
        if kind == b"IEND":
            break
        at = end
    return b"".join(parts)


def _bare_webp(image: bytes, exif: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", image, 4)
    if size + 8 > len(image):
        raise OddContainerError("a part is cut off")
    parts = []
    for kind, body in _riff_parts(image[12 : size + 8]):
        if kind not in _WEBP_KEPT:
            continue
        if kind == b"VP8X":
            flags = body[0] & ~(_WEBP_EXIF | _WEBP_XMP) | (_WEBP_EXIF if exif else 0)
            body = bytes([flags]) + body[1:]
        elif kind == b"ANMF":  # a frame: 16 bytes, then parts of its own
            inner = (_riff_part(k, b) for k, b in _riff_parts(body[16:]) if k in _WEBP_KEPT)
            body = body[:16] + b"".join(inner)
        parts.append(_riff_part(kind, body))
    if exif and parts and parts[0].startswith(b"VP8X"):
        parts.append(_riff_part(b"EXIF", exif))
    content = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _riff_parts(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        if at + 8 + length > len(content):
            raise OddContainerError("a part is cut off")
        yield kind, content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _riff_part(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
