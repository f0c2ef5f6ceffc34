"""Estimates of the memory that decoding and normalising an image takes, from its header.

The numbers per pixel were measured as the growth of the resident set with Pillow 13, and rounded
up.
"""

from __future__ import annotations

from PIL import Image

from rolesynth_assets.images.decoding.rgb import ALPHA_MODES, orientation

_TILE_SIZE_TAGS = (322, 323)  # TIFF 6.0: TileWidth and TileLength
_STORED = {  # bytes a pixel; 4 in all other modes
    "1": 1,
    "L": 1,
    "P": 1,
    "I;16": 3,
    "I;16B": 3,
}
_CODEC = {  # bytes a pixel, all of the library's copies included
    "WEBP": 16,  # two canvases of the library, its copy for Pillow, Pillow's own
    "AVIF": 10,
    "HEIF": 10,  # of 8 bits
    "JXL": 10,
}
_DEEP_HEIF = 14  # planes of 2 bytes
_PROGRESSIVE = 8  # coefficients of 2 bytes, of up to four components
_BLENDED = 9  # an RGBA layer, its alpha, the RGB picture
_COPIED = 4  # as RGB
_TURNED = 8
_DEEP = 16  # a second decode, and the samples of 16 bits, one channel after the other
REDUCTIONS = (1, 2, 4, 8)
"""How many times smaller a JPEG can be decoded."""


def webp_bytes(canvas: tuple[int, int]) -> int:
    """Estimate the bytes that opening and loading a WebP of (width, height) pixels takes."""
    return _CODEC["WEBP"] * canvas[0] * canvas[1]


def decode_bytes(image: Image.Image, encoded: int, reduction: int = 1) -> int:
    """Estimate the bytes that loading and normalising an opened image takes.

    Args:
        image: the image, opened but not loaded.
        encoded: bytes of the file; a PNG of the normalised pixels may take as many again.
        reduction: how many times smaller each side is decoded; other than 1 for a JPEG alone.
    """
    pixels = image.size[0] * image.size[1]
    fixed = _tile_bytes(image) + encoded
    per_pixel = _CODEC.get(image.format or "") or _STORED.get(image.mode, 4)
    if image.format == "HEIF" and image.info.get("bit_depth", 8) > 8:
        per_pixel = _DEEP_HEIF
    if image.format in ("JPEG", "MPO"):  # other formats may store EXIF after the pixels
        per_pixel += _TURNED if orientation(image) != 1 else 0
        fixed += _coefficients(image) * pixels if image.info.get("progressive") else 0
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        per_pixel += _BLENDED
    elif image.mode != "RGB" or image.format in ("GIF", "BMP", "TIFF"):
        per_pixel += _COPIED
    return int(per_pixel * pixels / reduction**2 + fixed)


def deep_bytes(size: tuple[int, int]) -> int:
    """Estimate the further bytes of scaling colours of 16 bits by their own range."""
    return _DEEP * size[0] * size[1]


def jxl_bytes(size: tuple[int, int], encoded: int) -> int:
    """Estimate the bytes that a JPEG XL of (width, height) pixels takes."""
    return _CODEC["JXL"] * size[0] * size[1] + encoded


def _coefficients(image: Image.Image) -> float:
    """Return the bytes a pixel that a progressive JPEG keeps until its last scan is read."""
    layers = getattr(image, "layer", None) or []
    factors = [(layer[1], layer[2]) for layer in layers]
    if not factors or not all(h > 0 and v > 0 for h, v in factors):
        return _PROGRESSIVE
    most = max(h for h, _ in factors) * max(v for _, v in factors)
    return 2 * sum(h * v for h, v in factors) / most


def _tile_bytes(image: Image.Image) -> int:
    """Return the bytes of one tile of a TIFF, which may be larger than the image."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return 0
    width, height = (tags.get(tag) for tag in _TILE_SIZE_TAGS)
    return 4 * width * height if isinstance(width, int) and isinstance(height, int) else 0
