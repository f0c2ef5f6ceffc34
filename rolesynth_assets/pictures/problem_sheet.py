"""The sheet of CADS problems for readers: image, question, reference and the judges' answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.pictures.png import WIDTH, encode_png
from rolesynth_assets.pictures.style import BAD, FAINT, GOOD, INK, PAPER, RULE, font, wrap
from rolesynth_assets.pictures.thumbnails import fitted

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_MARGIN = 18
_IMAGE = 240  # px across of the image on the left
_LEFT = 2 * _MARGIN + _IMAGE + 6
_TEXT, _LINE = 15, 21
_SMALL, _SMALL_LINE = 13, 18
_NAME = 118  # px across of the column of judges' names
_QUESTION_LINES = 12
_ANSWER_LINES = 2


@dataclass(frozen=True)
class ShownAnswer:
    """One judge's answer; if there is no result, `correct` is None and `text` gives the reason."""

    judge: str
    text: str
    correct: bool | None
    is_writer: bool = False


@dataclass(frozen=True)
class ShownProblem:
    """One problem of the sheet.

    Attributes:
        image: the encoded image.
        question: the question, with its options on lines of their own.
        reference: the writer's answer.
        answers: answers of all judges.
        facts: a line above the question, such as strategy, writer and C.
        note: a line below the answers, such as the finding of an extra check; may be empty.
    """

    image: bytes
    question: str
    reference: str
    answers: tuple[ShownAnswer, ...]
    facts: str
    note: str = ""


@dataclass(frozen=True)
class _Row:
    text: str
    colour: str = INK
    size: int = _TEXT
    bold: bool = False
    indent: int = 0
    advance: int = _LINE
    mark: str = ""  # label to the left of an indented text


def problem_sheet(problems: Sequence[ShownProblem], *, title: str = "", note: str = "") -> bytes:
    """Draw problems one below the other, with the image on the left and the text on the right.

    Args:
        problems: problems in the order of drawing; about four stay readable.
        title: a line above all problems.
        note: a smaller line below the title.

    Returns:
        A PNG of at most `pictures.png.MAX_BYTES`.

    Raises:
        ValueError: there is no problem.
    """
    from PIL import Image, ImageDraw

    if not problems:
        raise ValueError("no problems for a sheet: the round kept none")
    head = (34 if title else 0) + (_SMALL_LINE + 2 if note else 0)
    pictures = [fitted(problem.image, _IMAGE, int(1.5 * _IMAGE)) for problem in problems]
    texts = [_rows(problem) for problem in problems]
    heights = [
        max(picture.height, sum(row.advance for row in rows)) + 2 * _MARGIN
        for picture, rows in zip(pictures, texts, strict=True)
    ]
    sheet = Image.new("RGB", (WIDTH, head + sum(heights)), PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        line = wrap(title, font(_TEXT + 1, bold=True), WIDTH - 2 * _MARGIN, 1)[0]
        pen.text((_MARGIN, 12), line, fill=INK, font=font(_TEXT + 1, bold=True))
    if note:
        line = wrap(note, font(_SMALL), WIDTH - 2 * _MARGIN, 1)[0]
        pen.text((_MARGIN, head - _SMALL_LINE), line, fill=FAINT, font=font(_SMALL))
    top = head
    for picture, rows, height in zip(pictures, texts, heights, strict=True):
        if top > head:
            pen.line((_MARGIN, top, WIDTH - _MARGIN, top), fill=RULE, width=1)
        _draw_problem(sheet, pen, top + _MARGIN, picture, rows)
        top += height
    return encode_png(sheet)


def _draw_problem(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, top: int, picture: Image.Image, rows: list[_Row]
) -> None:
    across = _MARGIN + (_IMAGE - picture.width) // 2
    sheet.paste(picture, (across, top))
    frame = (across - 1, top - 1, across + picture.width, top + picture.height)
    pen.rectangle(frame, outline=RULE)
    for row in rows:
        face = font(row.size, bold=row.bold)
        if row.mark:
            pen.text((_LEFT, top), row.mark, fill=row.colour, font=face)
        pen.text((_LEFT + row.indent, top), row.text, fill=row.colour, font=face)
        top += row.advance


def _rows(problem: ShownProblem) -> list[_Row]:
    """Return the lines of a problem: facts, question, reference, answers, note."""
    rows = _wrapped(problem.facts, FAINT, _SMALL, _SMALL_LINE, 2)
    question = [
        row
        for line in problem.question.splitlines()
        if line.strip()
        for row in _wrapped(line, INK, _TEXT, _LINE, _QUESTION_LINES)
    ]
    if len(question) > _QUESTION_LINES:
        question = [*question[: _QUESTION_LINES - 1], _Row("…")]
    rows += [_gap(4), *question, _gap(6)]
    rows += _labelled("reference", problem.reference, INK, bold=True)
    rows.append(_gap(2))
    for answer in problem.answers:
        name = f"{answer.judge} (writer)" if answer.is_writer else answer.judge
        colour = FAINT if answer.correct is None else GOOD if answer.correct else BAD
        sign = "?" if answer.correct is None else "✓" if answer.correct else "✗"
        rows += _labelled(name, f"{sign}  {answer.text}", colour)
    if problem.note:
        rows += [_gap(4), *_wrapped(problem.note, BAD, _SMALL, _SMALL_LINE, 2)]
    return rows


def _labelled(label: str, text: str, colour: str, bold: bool = False) -> list[_Row]:
    face = font(_TEXT, bold=bold)
    mark = wrap(label, face, _NAME - 8, 1)[0]
    lines = wrap(text, face, WIDTH - _LEFT - _NAME - _MARGIN, _ANSWER_LINES)
    return [
        _Row(line, colour, bold=bold, indent=_NAME, mark="" if place else mark)
        for place, line in enumerate(lines)
    ]


def _wrapped(text: str, colour: str, size: int, advance: int, most: int) -> list[_Row]:
    lines = wrap(text, font(size), WIDTH - _LEFT - _MARGIN, most)
    return [_Row(line, colour, size, advance=advance) for line in lines]


def _gap(height: int) -> _Row:
    return _Row("", advance=height)
