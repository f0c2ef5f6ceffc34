"""The gallery picture: one image beside the captions of all roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.pictures.png import WIDTH, encode_png
from rolesynth_assets.pictures.style import (
    BAD,
    FAINT,
    GOOD,
    INK,
    PAPER,
    RULE,
    font,
    series_colour,
    wrap,
)
from rolesynth_assets.pictures.thumbnails import fitted

if TYPE_CHECKING:
    from PIL import ImageDraw

_MARGIN = 18
_IMAGE = 270  # px across of the image on the left
_TEXT = 15
_LINE = 21
_MAX_LINES = 6
_MARK = 118  # px across of the column of marks at the right edge


@dataclass(frozen=True)
class GalleryCaption:
    """One caption of the image.

    Attributes:
        role: role name.
        length: "long" or "short".
        text: the caption; None if there is none.
        score: the judge's score; None if it is not judged yet or has none.
        kept: whether the filter kept it; None before the cut.
        reason: why it has no text or no score, or why it was dropped.
    """

    role: str
    length: str
    text: str | None
    score: int | None = None
    kept: bool | None = None
    reason: str | None = None


def caption_gallery(image: bytes, captions: Sequence[GalleryCaption], *, note: str = "") -> bytes:
    """Draw an image on the left and its captions on the right, by role, the long one first.

    Args:
        image: the encoded image.
        captions: its captions; roles keep the order of their first captions.
        note: text below the image, such as the model that wrote the captions.

    Returns:
        A PNG of at most `pictures.png.MAX_BYTES`.

    Raises:
        ValueError: there is no caption.
    """
    from PIL import Image, ImageDraw

    if not captions:
        raise ValueError("no captions for a gallery: materialize raw_captions first")
    picture = fitted(image, _IMAGE, 2 * _IMAGE)
    notes = wrap(note, font(13), _IMAGE, 4) if note else []
    blocks = [
        (role, [entry for entry in _long_first(captions) if entry.role == role])
        for role in dict.fromkeys(caption.role for caption in captions)
    ]
    height = max(
        sum(_block_height(entries) for _, entries in blocks) + 2 * _MARGIN - 12,
        picture.height + len(notes) * 18 + 2 * _MARGIN + 8,
    )
    sheet = Image.new("RGB", (WIDTH, height), PAPER)
    sheet.paste(picture, (_MARGIN, _MARGIN))
    pen = ImageDraw.Draw(sheet)
    for index, line in enumerate(notes):
        y = _MARGIN + picture.height + 8 + index * 18
        pen.text((_MARGIN, y), line, fill=FAINT, font=font(13))
    top = _MARGIN
    for index, (role, entries) in enumerate(blocks):
        top = _draw_block(pen, top, role, entries, series_colour(index))
    return encode_png(sheet)


def _long_first(captions: Sequence[GalleryCaption]) -> list[GalleryCaption]:
    return sorted(captions, key=lambda caption: caption.length)


def _left() -> int:
    return 2 * _MARGIN + _IMAGE + 14


def _lines(entry: GalleryCaption) -> list[str]:
    width = WIDTH - _left() - _MARK - _MARGIN
    return wrap(entry.text or "no caption", font(_TEXT), width, _MAX_LINES)


def _block_height(entries: Sequence[GalleryCaption]) -> int:
    return 24 + sum(_entry_height(_lines(entry)) for entry in entries) + 12


def _entry_height(lines: Sequence[str]) -> int:
    return max(len(lines), 2) * _LINE + 6  # the mark at the right has two lines


def _draw_block(
    pen: ImageDraw.ImageDraw, top: int, role: str, entries: Sequence[GalleryCaption], colour: str
) -> int:
    """Draw one role's captions under its name; return the top of the next block."""
    left = _left()
    bottom = top + _block_height(entries)
    pen.rectangle((left - 14, top + 2, left - 11, bottom - 18), fill=colour)
    pen.text((left, top), role, fill=colour, font=font(_TEXT, bold=True))
    y = top + 24
    for entry in entries:
        lines = _lines(entry)
        gone = entry.text is None or entry.kept is False
        for index, line in enumerate(lines):
            pen.text((left, y + index * _LINE), line, fill=FAINT if gone else INK, font=font(_TEXT))
        _draw_mark(pen, y, entry)
        y += _entry_height(lines)
    pen.line((left, bottom - 10, WIDTH - _MARGIN, bottom - 10), fill=RULE)
    return bottom


def _draw_mark(pen: ImageDraw.ImageDraw, y: int, entry: GalleryCaption) -> None:
    """Write the length kind and the score, and below them whether the caption is kept."""
    right = WIDTH - _MARGIN
    score = "" if entry.score is None else f"  {entry.score}"
    pen.text((right, y + 1), f"{entry.length}{score}", fill=FAINT, font=font(13), anchor="ra")
    if entry.kept:
        verdict, colour = "kept", GOOD
    elif entry.reason:
        verdict, colour = entry.reason.replace("_", " "), BAD
    elif entry.kept is False:
        verdict, colour = "dropped", BAD
    else:
        return
    pen.text((right, y + 18), verdict, fill=colour, font=font(13, bold=True), anchor="ra")
