"""Decoding of arbitrary bytes to one plain 8-bit RGB image, or to a reject with a reason.

Bad input never raises, and a small file cannot cost much: bytes, pixels, sides, JPEG scans and the
decoder's memory are checked with the header before a decoder runs. No global Pillow setting is
changed, so threads may call `normalise` at the same time.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from PIL import (  # each plugin registers itself when imported, once, before any thread starts
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from rolesynth_assets.images.decoding.bounds import (
    LARGE,
    Refused,
    check_file,
    check_memory,
    check_size,
)
from rolesynth_assets.images.decoding.decode_apart import APART, decode_apart
from rolesynth_assets.images.decoding.decode_memory import REDUCTIONS, decode_bytes, deep_bytes
from rolesynth_assets.images.decoding.deep_samples import (
    deep_colour,
    in_own_range,
    uses_high_bits,
)
from rolesynth_assets.images.decoding.explain import explain
from rolesynth_assets.images.decoding.formats import (
    HEAD_BYTES,
    MEDIA_TYPES,
    ends_early,
    sniff,
    sniff_other_image,
)
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.decoding.rgb import as_png, orientation, plain_rgb, turn_upright
from rolesynth_assets.images.limits import DecodeLimits, limits_in_use
from rolesynth_assets.pictures.opened import open_as
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
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", *APART)


_NO_IMAGES = {
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
    b"<?xml": "an XML document, such as a server's error",
    b"{": "JSON, such as a server's error",
    b"version https://git-lfs": "a Git LFS pointer and not the image; run `git lfs pull`",
    b"%pdf": "a PDF document",
    b"/9j/": "base64 text of a JPEG",
    b"ivbor": "base64 text of a PNG",
    b"data:image/": "a data URI, base64 text of an image",
    b"\x1ae\xdf\xa3": "a video",
}
"""What people have in place of images, by its beginning in small letters."""


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


def normalise(data: bytes, limits: DecodeLimits | None = None) -> NormalisedImage | Reject:
    """Decode `data` once and convert it to plain 8-bit RGB; never raises on bad input.

    Alpha is laid over white, EXIF orientation is applied, samples of 9 to 16 bits are scaled by
    their own range, CMYK is converted without its colour profile. A file with several frames or
    pages is refused (`animated`), since its first frame is often blank and a caption of it would
    not describe the file. The extra pictures of a multi-picture JPEG or HEIF (previews, depth maps
    of phones) are ignored. A JPEG that must be encoded again and does not fit in
    `max_decode_bytes` is decoded at a half, a quarter or an eighth of its size. An AVIF, HEIF or
    JPEG XL that does not fit is decoded alone and stored at half its size.

    Args:
        data: a whole file, whose content decides its format.
        limits: bounds that are checked before anything is decoded.

    Returns:
        The image or a `Reject`; the same bytes give the same result.
    """
    limits = limits or limits_in_use().image
    image_format = sniff(data[:HEAD_BYTES])
    try:
        if image_format is None:
            raise Refused(*_unlisted(data))
        check_file(data, image_format, limits)
        if image_format in APART:
            png, (width, height) = decode_apart(data, image_format, limits)
            return NormalisedImage(image_id(data), png, "image/png", width, height, image_format)
        return _decode(data, image_format, limits)
    except Refused as refused:
        return refused.reject
    except Exception as error:
        # decoders may raise anything on hostile bytes, and no error may stop a shard
        return explain(error, data, image_format or "")


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
    what = next((what for begins, what in _NO_IMAGES.items() if start.startswith(begins)), None)
    if what is None and data[4:8] == b"ftyp":
        what = "a video"
    return RejectReason.NOT_AN_IMAGE, what or f"begins with {data[:8]!r}, no image signature"


def _decode(data: bytes, image_format: str, limits: DecodeLimits) -> NormalisedImage:
    with open_as(image_format, data) as image:
        size = image.size
        check_size(size, limits)
        if image.format != "MPO" and getattr(image, "is_animated", False):
            detail = f"a {image_format} of several frames or pages"
            raise Refused(RejectReason.ANIMATED, detail)
        deep = deep_colour(image)
        # loaded before any other look at it, since a PNG may have EXIF after the pixels
        with LARGE if _reduce(image, data, limits) else nullcontext():
            image.load()
        if _is_plain(image, image_format, data):
            encoded, kept_format = data, image_format
        else:
            upright, profile = _plain(image, deep, data, image_format, limits)
            encoded, kept_format, size = as_png(upright, profile), "PNG", upright.size
    return NormalisedImage(
        image_id=image_id(data),
        data=encoded,
        media_type=MEDIA_TYPES[kept_format],
        width=size[0],
        height=size[1],
        source_format=image_format,
    )


def _is_plain(image: ImageFile.ImageFile, image_format: str, data: bytes) -> bool:
    """Whether the file can be kept as it is."""
    return (
        image_format in MEDIA_TYPES
        and image.mode == "RGB"
        and "transparency" not in image.info
        and not (image_format == "PNG" and data[24:25] != b"\x08")  # bit depth, in IHDR
        and not ends_early(data, image_format)
        and orientation(image) == 1
    )


def _reduce(image: ImageFile.ImageFile, data: bytes, limits: DecodeLimits) -> bool:
    """Choose how large to decode, such that the memory suffices; in full for all but JPEG.

    A JPEG that is kept as it is is decoded for its faults alone, which a decode at an eighth of the
    size finds as well. The coefficients of a progressive one take memory whatever the size.

    Returns:
        Whether it takes more than `max_decode_bytes`, so that it is decoded alone.
    """
    if image.format not in ("JPEG", "MPO"):
        check_memory(decode_bytes(image, len(data)), limits)
        return False
    sizes = REDUCTIONS[-1:] if _is_plain(image, "JPEG", data) else REDUCTIONS
    costs = [decode_bytes(image, len(data), reduction) for reduction in sizes]
    large = costs[-1] > limits.max_decode_bytes
    check_memory(costs[-1], limits, large)
    most = limits.max_large_bytes if large else limits.max_decode_bytes
    reduction = next(n for n, cost in zip(sizes, costs, strict=True) if cost <= most)
    if reduction > 1:
        width, height = image.size
        image.draft(None, (max(width // reduction, 1), max(height // reduction, 1)))
    return large


def _plain(
    image: ImageFile.ImageFile,
    deep: str | None,
    data: bytes,
    image_format: str,
    limits: DecodeLimits,
) -> tuple[Image.Image, bytes | None]:
    """Return the upright 8-bit RGB image of a loaded one, and its colour profile."""
    turn = orientation(image)
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    samples: Image.Image = image
    if deep and not uses_high_bits(image):
        check_memory(decode_bytes(image, len(data)) + deep_bytes(image.size), limits)
        with open_as(image_format, data) as again:
            samples = in_own_range(image, again, deep)
    plain = plain_rgb(samples)
    if plain is None:
        detail = f"pixels of mode {image.mode}, which have no agreed brightness range"
        raise Refused(RejectReason.UNSUPPORTED_PIXELS, detail)
    return turn_upright(plain, turn), profile
