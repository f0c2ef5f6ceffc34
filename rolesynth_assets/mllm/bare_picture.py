"""Removal of the metadata of an encoded picture, such as place, time and author.

JPEG, PNG and WebP files are lists of parts. Parts that decide how a pixel looks stay byte for byte;
all others are removed: EXIF with its GPS position, XMP, IPTC, texts, comments, thumbnails, and
anything after the end of the picture or of a part of fixed length. Of a colour profile only what
defines colours is kept (`bare_profile`). No pixel is encoded again.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

from rolesynth_assets.mllm.bare_profile import OddProfileError, bare_profile
from rolesynth_assets.pictures.opened import open_picture

_ORIENTATION = 0x0112
_UPRIGHT = 1

_JFIF = b"JFIF\0"
_JFIF_BYTES = 14
"""Length of JFIF's part up to its thumbnail."""
_ADOBE = b"Adobe"
_ADOBE_BYTES = 12
"""Length of Adobe's part; its last byte defines how colours are encoded."""
_PROFILE = b"ICC_PROFILE\0"
_PROFILE_HEAD = 14
"""Bytes of a part of a profile before its data: the name, its number and the number of parts."""
_MAX_PROFILE_BYTES = 16 * 2**20
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
_PNG_LONGEST = {b"bKGD": 6, b"sBIT": 4, b"pHYs": 9, b"cHRM": 32, b"gAMA": 4, b"sRGB": 1}
_PNG_LONGEST |= {b"tRNS": 256, b"PLTE": 768, b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"acTL": 8}
_PNG_LONGEST |= {b"IHDR": 13, b"fcTL": 26, b"IEND": 0}
"""Most bytes of the parts of a PNG that have fixed fields."""
_PNG_PROFILE_NAME = b"ICC Profile\0\0"
_WEBP_LONGEST = {b"VP8X": 10, b"ANIM": 6}
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
        OddContainerError: the bytes are of another format, a part is cut off or too long, or the
            colour profile is none.
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
    except OddProfileError as error:
        raise OddContainerError(str(error)) from None


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
    for marker, part in _with_bare_profile(list(_jpeg_parts(image))):
        payload = part[4:]
        if marker == 0xE0:
            if payload.startswith(_JFIF) and len(payload) >= _JFIF_BYTES:
                no_thumbnail = payload[: _JFIF_BYTES - 2] + b"\0\0"
                parts.append(_jpeg_part(marker, no_thumbnail))
            continue
        if exif:  # after JFIF, which is the first if there is one
            parts.append(_jpeg_part(0xE1, b"Exif\0\0" + exif))
            exif = b""
        if marker == 0xFE or 0xE1 <= marker <= 0xEF:
            if marker == 0xEE and payload.startswith(_ADOBE) and len(payload) >= _ADOBE_BYTES:
                part = _jpeg_part(marker, payload[:_ADOBE_BYTES])
            elif marker != 0xE2 or not payload.startswith(_PROFILE):
                continue
        parts.append(part)
    return b"".join(parts)


def _jpeg_part(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _with_bare_profile(parts: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the parts of a JPEG with a bare colour profile, which may be in several of them."""
    places = [
        n
        for n, (marker, part) in enumerate(parts)
        if marker == 0xE2 and part[4:].startswith(_PROFILE)
    ]
    if not places:
        return parts
    places.sort(key=lambda n: parts[n][1][4 + len(_PROFILE)])
    head = 4 + _PROFILE_HEAD
    profile = bare_profile(b"".join(parts[n][1][head:] for n in places))
    at = 0
    for n in places:
        marker, part = parts[n]
        end = at + len(part) - head
        parts[n] = marker, part[:head] + profile[at:end]
        at = end
    return parts


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
        if length > _PNG_LONGEST.get(kind, length):
            raise OddContainerError("a part is too long")
        if kind == b"iCCP":
            parts.append(_bare_png_profile(image[at:end]))
        elif kind in _PNG_KEPT:
            parts.append(image[at:end])
        if kind == b"IHDR" and exif:
            parts.append(_png_part(b"eXIf", exif))
        if kind == b"IEND":
            break
        at = end
    return b"".join(parts)


def _png_part(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _bare_png_profile(part: bytes) -> bytes:
    """Return a PNG's part with a bare colour profile; the same bytes if it is bare."""
    body = part[8:-4]
    packed = body.partition(b"\0")[2]
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(packed[1:], _MAX_PROFILE_BYTES)
    except zlib.error as error:
        raise OddProfileError(f"a colour profile that cannot be unpacked: {error}") from None
    if not unpacking.eof:
        raise OddProfileError("a colour profile that is cut off or too long")
    bare = bare_profile(profile)
    if bare == profile and not unpacking.unused_data and body.startswith(_PNG_PROFILE_NAME):
        return part
    return _png_part(b"iCCP", _PNG_PROFILE_NAME + zlib.compress(bare))


def _bare_webp(image: bytes, exif: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", image, 4)
    if size + 8 > len(image):
        raise OddContainerError("a part is cut off")
    parts = []
    for kind, body in _riff_parts(image[12 : size + 8]):
        if kind not in _WEBP_KEPT:
            continue
        body = body[: _WEBP_LONGEST.get(kind)]
        if kind == b"ICCP":
            body = bare_profile(body)
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
