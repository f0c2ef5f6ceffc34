"""Decoding of arbitrary bytes to one plain 8-bit RGB image, or to a reject with a reason.

Bad input never raises, and a small file cannot cost much: bytes, pixels, sides, JPEG scans and the
decoder's memory are checked with the header before a decoder runs. No global Pillow setting is
changed, so threads may call `normalise` at the same time.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import (  # each plugin registers itself when imported, once, before any thread starts
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from rolesynth_assets.images.decoding.decode_memory import decode_bytes, webp_bytes
from rolesynth_assets.images.decoding.formats import (
    HEAD_BYTES,
    ends_early,
    sniff,
    sniff_other_image,
    webp_canvas,
)
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.decoding.rgb import as_png, orientation, plain_rgb, turn_upright
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets.store.digests import image_id

_PLUGINS = (
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    GifImagePlugin,
    BmpImagePlugin,
    TiffImagePlugin,
)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True)
class NormalisedImage:
    """An upright, opaque, 8-bit RGB image of one frame.

    Attributes:
        image_id: sha256 of the *source* bytes, 64 hex characters.
        data: the source bytes if they already are a plain JPEG, PNG or WebP, else a PNG with
            exactly the normalised pixels.
        media_type: media type of `data`: image/jpeg, image/png or image/webp.
        width: width in pixels, after rotation.
        height: height in pixels, after rotation.
        source_format: format of the source, one of `FORMATS`.
    """

    image_id: str
    data: bytes
    media_type: str
    width: int
    height: int
    source_format: str


class _Refused(Exception):
    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reject = Reject(reason, detail)


def normalise(data: bytes, limits: DecodeLimits | None = None) -> NormalisedImage | Reject:
    """Decode `data` once and convert it to plain 8-bit RGB; never raises on bad input.

    Alpha is laid over white, EXIF orientation is applied, 16-bit samples keep their high byte, CMYK
    is converted without its colour profile. A file with several frames or pages is refused
    (`animated`), since its first frame is often blank and a caption of it would not describe the
    file. The extra pictures of a multi-picture JPEG (previews, depth maps of phones) are ignored.

    Args:
        data: a whole file, whose content decides its format.
        limits: bounds that are checked before anything is decoded.

    Returns:
        The image or a `Reject`; the same bytes give the same result.
    """
    limits = limits or DecodeLimits()
    image_format = sniff(data[:HEAD_BYTES])
    try:
        if image_format is None:
            raise _Refused(*_unlisted(data))
        _check_file(data, image_format, limits)
        return _decode(data, image_format, limits)
    except _Refused as refused:
        return refused.reject
    except Exception as error:
        # decoders may raise anything on hostile bytes, and no error may stop a shard
        return _explain(error, data, image_format or "")


def _unlisted(data: bytes) -> tuple[RejectReason, str]:
    if not data:
        return RejectReason.EMPTY, "zero bytes"
    other = sniff_other_image(data[:HEAD_BYTES])
    if other:
        accepted = ", ".join(FORMATS)
        return RejectReason.UNSUPPORTED_FORMAT, f"{other}; convert it to one of {accepted}"
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return RejectReason.NOT_AN_IMAGE, "an SVG drawing, not a raster image"
    if start.startswith((b"<!doctype html", b"<html")):
        return RejectReason.NOT_AN_IMAGE, "an HTML page"
    return RejectReason.NOT_AN_IMAGE, f"begins with {data[:8]!r}, no image signature"


def _check_file(data: bytes, image_format: str, limits: DecodeLimits) -> None:
    if len(data) > limits.max_bytes:
        detail = f"{len(data)} bytes; the limit is {limits.max_bytes}"
        raise _Refused(RejectReason.TOO_MANY_BYTES, detail)
    # in compressed data 0x00 always follows 0xFF, so this counts start-of-scan markers
    scans = data.count(b"\xff\xda") if image_format == "JPEG" else 0
    if scans > limits.max_scans:
        detail = f"{scans} scans; the limit is {limits.max_scans}"
        raise _Refused(RejectReason.TOO_MANY_SCANS, detail)
    canvas = webp_canvas(data) if image_format == "WEBP" else None
    if canvas:
        _check_size(canvas, limits)
        _check_memory(webp_bytes(canvas), limits)


def _check_size(size: tuple[int, int], limits: DecodeLimits) -> None:
    width, height = size
    longer, shorter = max(size), min(size)
    said = f"{width} x {height} pixels"
    if shorter < max(limits.min_side, 1):
        detail = f"{said}; a side has at least {limits.min_side}"
        raise _Refused(RejectReason.SIDE_TOO_SHORT, detail)
    if width * height > limits.max_pixels:
        detail = f"{said}; the limit is {limits.max_pixels}, limits.image.max_pixels"
        raise _Refused(RejectReason.TOO_MANY_PIXELS, detail)
    if longer > limits.max_side:
        raise _Refused(RejectReason.SIDE_TOO_LONG, f"{said}; a side has at most {limits.max_side}")
    if longer > shorter * limits.max_elongation:
        detail = f"{said}; the sides differ by more than {limits.max_elongation:g} times"
        raise _Refused(RejectReason.TOO_ELONGATED, detail)


def _check_memory(needed: int, limits: DecodeLimits) -> None:
    if needed > limits.max_decode_bytes:
        detail = (
            f"decoding takes about {needed >> 20} MiB; the limit is "
            f"{limits.max_decode_bytes >> 20} MiB, limits.image.max_decode_bytes"
        )
        raise _Refused(RejectReason.TOO_MUCH_MEMORY, detail)


def _decode(data: bytes, image_format: str, limits: DecodeLimits) -> NormalisedImage:
    with Image.open(io.BytesIO(data), formats=(image_format,)) as image:
        _check_size(image.size, limits)
        _check_memory(decode_bytes(image, len(data)), limits)
        if image.format != "MPO" and getattr(image, "is_animated", False):
            detail = f"a {image_format} of several frames or pages"
            raise _Refused(RejectReason.ANIMATED, detail)
        image.load()
        turned = orientation(image) != 1
        keeps = (
            image_format in _MEDIA_TYPES
            and not turned
            and image.mode == "RGB"
            and "transparency" not in image.info
            and not (image_format == "PNG" and data[24:25] != b"\x08")  # bit depth, in IHDR
            and not ends_early(data, image_format)
        )
        if keeps:
            encoded, kept_format, size = data, image_format, image.size
        else:
            plain = plain_rgb(image)
            if plain is None:
                detail = f"pixels of mode {image.mode}, which have no agreed brightness range"
                raise _Refused(RejectReason.UNSUPPORTED_PIXELS, detail)
            profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
            upright = turn_upright(plain, orientation(image))
            encoded, kept_format, size = as_png(upright, profile), "PNG", upright.size
    return NormalisedImage(
        image_id=image_id(data),
        data=encoded,
        media_type=_MEDIA_TYPES[kept_format],
        width=size[0],
        height=size[1],
        source_format=image_format,
    )


def _explain(error: Exception, data: bytes, image_format: str) -> Reject:
    said = str(error)
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return Reject(RejectReason.TOO_MANY_PIXELS, said)
    if isinstance(error, MemoryError):
        return Reject(RejectReason.TOO_MANY_PIXELS, "the decoder ran out of memory")
    if isinstance(error, ValueError) and ("MAX_TEXT" in said or "text chunks" in said):
        return Reject(RejectReason.METADATA_BOMB, said)
    if ends_early(data, image_format) or "truncated" in said.lower():
        return Reject(RejectReason.TRUNCATED, f"the {image_format} ends after {len(data)} bytes")
    if isinstance(error, UnidentifiedImageError):
        return Reject(RejectReason.CORRUPT, f"{image_format} signature, unreadable header")
    return Reject(RejectReason.CORRUPT, f"{image_format}: {type(error).__name__}: {said}")
