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
_WEBP = 16  # two canvases of the library, its copy for Pillow, Pillow's own
_PROGRESSIVE = 8  # coefficients of 2 bytes, of up to four components
_BLENDED = 9  # an RGBA layer, its alpha, the RGB picture
_COPIED = 4  # as RGB
_TURNED = 8


def webp_bytes(canvas: tuple[int, int]) -> int:
    """Estimate the bytes that opening and loading a WebP of (width, height) pixels takes."""
    return _WEBP * canvas[0] * canvas[1]


def decode_bytes(image: Image.Image, encoded: int) -> int:
    """Estimate the bytes that loading and normalising an opened image takes.

    Args:
        image: the image, opened but not loaded.
        encoded: bytes of the file; a PNG of the normalised pixels may take as many again.
    """
    width, height = image.size
    if image.format == "WEBP":
        per_pixel = _WEBP
    else:
        per_pixel = _STORED.get(image.mode, 4)
    if image.format in ("JPEG", "MPO"):  # other formats may store EXIF after the pixels
        per_pixel += _PROGRESSIVE if image.info.get("progressive") else 0
        per_pixel += _TURNED if orientation(image) != 1 else 0
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        per_pixel += _BLENDED
    elif image.mode != "RGB" or image.format in ("GIF", "BMP", "TIFF"):
        per_pixel += _COPIED
    return per_pixel * width * height + _tile_bytes(image) + encoded


def _tile_bytes(image: Image.Image) -> int:
    """Return the bytes of one tile of a TIFF, which may be larger than the image."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return 0
    width, height = (tags.get(tag) for tag in _TILE_SIZE_TAGS)
    return 4 * width * height if isinstance(width, int) and isinstance(height, int) else 0
