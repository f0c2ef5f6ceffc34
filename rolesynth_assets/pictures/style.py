"""The common style of all pictures: colours, fonts, and line breaks by pixel width."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import ImageFont

PAPER = "#ffffff"
INK = "#1f2430"
FAINT = "#6b7280"
RULE = "#e3e6eb"
GOOD = "#0b7a5e"
BAD = "#b3432b"

SERIES = ("#0072b2", "#d55e00", "#009e73", "#a5498f", "#b8860b", "#3b8fc4", "#555b66")
"""Colours that colour-blind readers can distinguish (after Okabe and Ito 2008), dark on white."""


def series_colour(index: int) -> str:
    """Return the colour of series `index`; colours repeat after seven."""
    return SERIES[index % len(SERIES)]


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Return DejaVu Sans at `size` px, which comes with matplotlib, so no system font is needed."""
    import matplotlib
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", name)), size)


def wrap(text: str, face: ImageFont.FreeTypeFont, width: int, max_lines: int) -> list[str]:
    """Break `text` into lines of at most `width` px; the last line ends in an ellipsis if cut.

    A word that is wider than a line is split.
    """
    lines: list[str] = [""]
    words = text.split()
    while words:
        word = words.pop(0)
        joined = f"{lines[-1]} {word}".strip()
        if face.getlength(joined) <= width:
            lines[-1] = joined
        elif lines[-1]:
            lines.append("")
            words.insert(0, word)
        else:
            fit = bisect_right(range(len(word)), width, key=lambda n: face.getlength(word[:n]))
            fits = max(fit - 1, 1)
            lines[-1] = word[:fits]
            words[:0] = [word[fits:]] if word[fits:] else []
        if len(lines) > max_lines:
            return _cut(lines[:max_lines], face, width)
    return lines


def _cut(lines: list[str], face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    last = lines[-1]
    while last and face.getlength(last + " …") > width:
        last = last[:-1].rstrip()
    return [*lines[:-1], f"{last} …".strip()]
