"""The Markdown writer of all pages, tables, cards and metadata values.

Captions, problems, rationales, role names and file names are untrusted data. A renderer must show
them character by character, and they must not become a link, a picture or an HTML element. A plain
`str` is therefore always escaped, and only a `Markdown`, which this module returns, is used as it
is. Pictures are data URLs of PNGs that this package has drawn.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable, Sequence

from rolesynth_assets.pictures.png import MAX_BYTES

_DATA_URI = "data:image/"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RULES = {"l": "---", "r": "---:"}

_BREAK = "\N{ZERO WIDTH SPACE}"
_ADDRESS = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=[\w.+-])(?=@[\w-]*\.)")
"""The places at which GFM recognises a bare address. The renderer of the Dagster UI searches for
addresses again after it has resolved escapes and entities, so only an inserted character helps."""
_MARKUP = re.compile(
    r"""[\\`*\[\]|~$]            # escapes, code, emphasis, links, cells, strikethrough, formulas
      | !(?=\[)                   # a picture
      | (?<![^\W_])_|_(?![^\W_]) # emphasis; within a word an underscore means nothing
    """,
    re.VERBOSE,
)
_ENTITY = re.compile(r"&(?=[#\w])")
_BLOCK = re.compile(r"\A(?:(?=[-+=:#])|\d{1,9}(?=[.)]))")
"""The start of a list, a heading, a rule or a table's second line."""
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Markdown(str):
    """Text that is already Markdown, created by this module; a plain `str` is escaped."""

    __slots__ = ()


def text(value: object) -> Markdown:
    """Return `value` as a line of its own that shows exactly its characters.

    Runs of white space become one space. Control characters, marks that change the writing
    direction and halves of surrogate pairs become U+FFFD. A bare address gets a zero-width space,
    so that it does not become a link.
    """
    if isinstance(value, Markdown):
        return value
    return Markdown(_BLOCK.sub(r"\g<0>\\", cell(value)))


def cell(value: object) -> Markdown:
    """Return `value` as `text` does, for use within a line, such as a cell, a name or a label."""
    if isinstance(value, Markdown):
        return value
    line = _ADDRESS.sub(_BREAK, _one_line(str(value)))
    line = _MARKUP.sub(r"\\\g<0>", line)
    return Markdown(_ENTITY.sub("&amp;", line).replace("<", "&lt;").replace(">", "&gt;"))


def code(value: object) -> Markdown:
    """Return one line as a code span, or as plain text if a code span cannot hold it."""
    line = _one_line(str(value))
    if not line or any(mark in line for mark in "`|\\"):
        return cell(line)
    return Markdown(f"`{line}`")


def bold(value: object) -> Markdown:
    """Return one line in bold."""
    return Markdown(f"**{cell(value)}**")


def emphasis(value: object) -> Markdown:
    """Return one line in italics."""
    return Markdown(f"*{cell(value)}*")


def heading(level: int, value: object) -> Markdown:
    """Return a heading of level 1 to 6."""
    return Markdown(f"{'#' * level} {text(value)}")


def quote(value: str) -> Markdown:
    """Return a block quote that keeps the lines of `value`."""
    lines = [text(line) for line in value.splitlines()]
    return Markdown("\n".join(f"> {line}".rstrip() for line in lines or [text("(empty)")]))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], align: str = "") -> Markdown:
    """Return a table; every cell that is not a `Markdown` is escaped.

    Args:
        head: titles of the columns.
        rows: rows with one cell for each column.
        align: a letter ``l`` or ``r`` for each column; all left-aligned by default.

    Raises:
        ValueError: a row and the head differ in their number of cells.
    """
    rules = [Markdown(_RULES[side]) for side in align or "l" * len(head)]
    lines = []
    for row in [head, rules, *rows]:
        if len(row) != len(head):
            raise ValueError(f"a table of {len(head)} columns got a row of {len(row)} cells")
        lines.append(f"| {' | '.join(map(cell, row))} |")
    return Markdown("\n".join(lines))


def image(png: bytes, alt: str) -> Markdown:
    """Return a PNG as a Markdown picture with a data URI.

    Args:
        png: an encoded picture of at most `MAX_BYTES`.
        alt: description of the picture, for readers who cannot see it.

    Raises:
        ValueError: the bytes are not a PNG, or too many for an event log.
    """
    if not png.startswith(_SIGNATURE):
        raise ValueError(f"picture {alt!r} is no PNG: it starts with {png[:8]!r}")
    if len(png) > MAX_BYTES:
        raise ValueError(
            f"picture {alt!r} has {len(png)} bytes, more than the {MAX_BYTES} that the event log "
            "should hold; encode it with pictures.png.encode_png"
        )
    encoded = base64.b64encode(png).decode("ascii")
    return Markdown(f"![{cell(alt)}]({_DATA_URI}png;base64,{encoded})")


def holds_image(markdown: str | None) -> bool:
    """Return whether Markdown contains a picture with a data URI."""
    return f"]({_DATA_URI}" in (markdown or "")


def _one_line(value: str) -> str:
    return "".join(map(_shown, " ".join(value.split())))


def _shown(character: str) -> str:
    unseen = character in _DIRECTIONS or unicodedata.category(character) in ("Cc", "Cs")
    return "\N{REPLACEMENT CHARACTER}" if unseen else character
