"""Ranges such as "10 - 20", "1998-99" and "10:30 to 11:30", which are not subtractions."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

from rolesynth_assets.answers.quantities import SCALES, Quantity, quantity

MAX_CHARS = 120
"""Most characters of a range."""

_SEPARATOR = re.compile(
    r"(?=(?P<between>-{1,3}|~|\.{2,3}|\u2026|\u81f3|\u5230|\u304b\u3089|\uc5d0\uc11c|"
    r"\bto\b|\bthrough\b|\buntil\b|\btill\b|\band\b))"
)
_BEFORE = re.compile(r"(?:from|between|\u4ece|\u5728)\b ?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?: ?([ap])\.?m\.?)?", re.IGNORECASE)
_SCALE = re.compile(rf" ?\b(?:{'|'.join(SCALES)})\b", re.IGNORECASE)
_ALGEBRA = re.compile(r"[\d.]+[a-z]")
_DIFFERENCE = re.compile(
    r"(?<![\w^{.}\\\u221a])\d[\d,.:]*(?: ?[-~] ?|-{2,3})\d[\d,.:]*(?![\w\\({^.])"
)


class End(NamedTuple):
    """One end of a range: a number, and the unit or "%" or "clock" that it counts in."""

    value: Fraction
    unit: str


Reading = tuple[End, End]


def range_readings(text: str) -> frozenset[Reading]:
    """Read a text, normalised by `spelling.plain`, as a range of two numbers.

    "-5--3" can be read as -5 to 3 and as -5 to -3; an end without a unit has that of the other end;
    the second year of "1998-99" is 1999.

    Returns:
        All readings; empty if the text is not a range.
    """
    if len(text) > MAX_CHARS or quantity(text):
        return frozenset()
    opening = _BEFORE.match(text)
    text = text[opening.end() :] if opening else text
    found: set[Reading | None] = set()
    for match in _SEPARATOR.finditer(text):
        if match["between"] == "and" and opening is None:
            continue
        stops = [match.end("between")]
        if match["between"][0] == "-":
            stops = list(range(match.start() + 1, stops[0] + 1))
        left = text[: match.start()].strip()
        found |= {_reading(left, text[stop:].strip()) for stop in stops}
    readings = frozenset(reading for reading in found if reading)
    ascending = frozenset(r for r in readings if r[0].value < r[1].value)
    return ascending or readings  # "10--20" does not end at -20


def same_range(one: frozenset[Reading], other: frozenset[Reading]) -> bool | None:
    """Compare two ranges by their readings.

    Returns:
        Whether they are equal; None if one is not a range, a range can be read in several ways, the
        units differ, or one is the other in reverse.
    """
    if one and one == other:
        return True
    if len(one) != 1 or len(other) != 1:
        return None
    (first,), (second,) = one, other
    if [end.unit for end in first] != [end.unit for end in second] or first == second[::-1]:
        return None
    return False


def holds_difference(text: str) -> bool:
    """Return whether two bare numbers have a dash between them, as in a range or a date."""
    return _DIFFERENCE.search(text) is not None


def _end(text: str) -> End | None:
    text = text[1:-1].strip() if text.startswith("(") and text.endswith(")") else text
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds, half = clock.groups()
        value = 3600 * int(hours) + 60 * int(minutes) + int(seconds or 0)
        return End(Fraction(value), f"clock {half or ''}".strip().lower())
    read = quantity(text)
    return End(read.value, _unit(read)) if read else None


def _unit(read: Quantity) -> str:
    return "%" if read.percent else read.unit.name


def _reading(left: str, right: str) -> Reading | None:
    if (scale := _SCALE.search(right)) and not _SCALE.search(left):
        left += scale[0]  # "5-10 million"
    first, second = _end(left), _end(right)
    if first is None or second is None:
        return None
    if not first.unit and second.unit and _ALGEBRA.fullmatch(right):
        return None  # "5-2t" is algebra
    if re.fullmatch(r"\d{4}", left) and re.fullmatch(r"\d{2}", right):  # 1998-99
        second = End(Fraction(int(left[:2] + right)), "")
    if not first.unit:
        first = End(first.value, second.unit)
    elif not second.unit:
        second = End(second.value, first.unit)
    return first, second
