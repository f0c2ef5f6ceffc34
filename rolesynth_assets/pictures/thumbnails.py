"""The thumbnail grid of a shard's images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.pictures.opened import open_picture
from rolesynth_assets.pictures.png import WIDTH, encode_png
from rolesynth_assets.pictures.style import FAINT, PAPER, RULE, font

if TYPE_CHECKING:
    from PIL import Image

COLUMNS, ROWS = 8, 4
"""Cells across, and down at most."""
_GAP = 8
_CAPTION = 26


def thumbnail_grid(images: Sequence[bytes], *, total: int | None = None) -> bytes:
    """Draw a shard's first images as a grid, each as a whole inside its cell.

    Args:
        images: encoded images; those beyond `COLUMNS` x `ROWS` are not drawn.
        total: images in the shard, for the line below the grid; by default those given.

    Returns:
        A PNG of at most `pictures.png.MAX_BYTES`.

    Raises:
        ValueError: there is no image.
    """
    from PIL import Image, ImageDraw

    if not images:
        raise ValueError("no images for a thumbnail grid: an empty shard has no picture")
    shown = images[: COLUMNS * ROWS]
    cell = (WIDTH - _GAP) // COLUMNS - _GAP
    used = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (WIDTH, _GAP + used * (cell + _GAP) + _CAPTION), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, encoded in enumerate(shown):
        left = _GAP + (index % COLUMNS) * (cell + _GAP)
        top = _GAP + (index // COLUMNS) * (cell + _GAP)
        image = fitted(encoded, cell, cell)
        corner = left + (cell - image.width) // 2, top + (cell - image.height) // 2
        sheet.paste(image, corner)
        pen.rectangle((left - 1, top - 1, left + cell, top + cell), outline=RULE)
    line = f"{len(shown)} of {total if total is not None else len(images)} images"
    pen.text((_GAP, sheet.height - _CAPTION + 2), line, fill=FAINT, font=font(14))
    return encode_png(sheet)


def fitted(encoded: bytes, width: int, height: int) -> Image.Image:
    """Decode an image and scale it, up or down, to fit `width` x `height` px; RGB on white."""
    from PIL import Image

    with open_picture(encoded) as opened:
        opened.draft("RGB", (width * 2, height * 2))  # decodes a large JPEG at a smaller size
        image = opened.convert("RGBA")
    scale = min(width / image.width, height / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    image = image.resize(size, Image.Resampling.LANCZOS)
    page = Image.new("RGB", size, PAPER)
    page.paste(image, mask=image.getchannel("A"))
    return page
