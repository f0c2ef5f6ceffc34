"""Numbers with or without a unit, in the spellings of answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from rolesynth_assets.answers.units import Unit, names, read_unit

TOLERANCE = Fraction(1, 10**6)
"""Relative difference below which two numbers are equal, unless both are exact."""

_UP_TO_TWENTY = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)
_TENS = ("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: value for value, word in enumerate(_UP_TO_TWENTY)}
_WORDS |= {word: 10 * ten for ten, word in enumerate(_TENS, start=3)}
_WORDS |= {
    f"{ten}-{one}": 10 * tens + ones
    for tens, ten in enumerate(("twenty", *_TENS), start=2)
    for ones, one in enumerate(_UP_TO_TWENTY[1:10], start=1)
}
_WORD = "|".join(word.replace("-", "[ -]") for word in sorted(_WORDS, key=len, reverse=True))
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,30})"
_DECIMAL = rf"(?:{_DIGITS}(?:\.\d{{1,30}})?|\.\d{{1,30}})"
_NUMBER = re.compile(
    rf"""
    (?:approximately|about|around|~|\\approx|\u2248)?\s?
    (?P<sign>[-+]?)\s?(?P<money>[$\u20ac\u00a3\u00a5]?)\s?
    (?:
        (?:(?P<mixed>\d{{1,30}})\ )?
        (?: (?P<top>{_DECIMAL})\s?/\s?(?P<bottom>{_DECIMAL})
          | \\frac\s?\{{\s?(?P<ltop>{_DECIMAL})\s?\}}\s?\{{\s?(?P<lbottom>{_DECIMAL})\s?\}} )
      | (?P<decimal>{_DECIMAL})
        (?:[eE](?P<exponent>[-+]?\d{{1,3}})
          |\s?(?:\*|x|\u00d7|\u00b7|\\times|\\cdot)\s?10\s?(?:\^|\*\*)\s?
            \{{?(?P<power>[-+]?\d{{1,3}})\}}?
          |\s?(?:\^|\*\*)\s?\{{?\s?(?P<raised>[-+]?\d{{1,2}})\s?\}}?(?!\d))?
      | (?P<word>{_WORD})(?![\w-])
    )
    (?P<unit>(?:\s|(?=[^\w.,])|(?<=\d)(?=[^\W\d_]))
        (?:[^\W\d_]|[ %\u00b0\u20ac\u00a3\u00a5$/.*'"()\u00b7-]|\^\{{?\s?[-+]?\d\s?\}}?|\*\*[-+]?\d
          |(?<=[^\W\d_])[-+]?\d(?!\d)){{0,60}})?
    """,
    re.VERBOSE | re.IGNORECASE,
)
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
"""Words after a number that multiply it, as powers of ten."""
# words after a number that change it otherwise: "two thirds", "3 and a half", "5 or more"
_CHANGES = frozenset(
    "dozen half halves third thirds quarter quarters fourths fifths tenths point and or to minus "
    "plus times squared cubed of pi x".split()
) | frozenset(SCALES)


@dataclass(frozen=True)
class Quantity:
    """A number and its unit.

    Attributes:
        value: exact value.
        whole: whether it is written as an integer.
        percent: whether it has a percent sign or word; `value` is the number before it.
        unit: the unit; its name is empty if there is none.
        digits: decimal places as written; negative for the zeros at the end of a whole number; None
            for a fraction or a power, which are exact.
    """

    value: Fraction
    whole: bool
    percent: bool
    unit: Unit
    digits: int | None

    @property
    def exact(self) -> bool:
        """Whether it is a whole number, a fraction or a power, which nobody has rounded."""
        return self.whole or self.digits is None


def quantity(text: str) -> Quantity | None:
    r"""Read the whole of `text`, normalised by `spelling.plain`, as one number.

    Examples are "1,234.5", "-3/4", "1 1/2", "\frac{3}{4}", "1.5 x 10^3", "2e5", "three", "50%",
    "6.9 V", "5 million" and "three red apples". A number may have 30 digits and three digits of
    exponent.

    Returns:
        The quantity, or None if the text is not exactly one number.
    """
    match = _NUMBER.fullmatch(text) if len(text) <= 120 else None
    value = _value(match) if match else None
    if match is None or value is None:
        return None
    power, after = _scale((match["unit"] or "").strip(" ."))
    if match["money"] and after:
        return None
    written = match["money"] or after
    percent = written.casefold() in ("%", "percent", "per cent")
    unit = read_unit("" if percent else written)
    if unit is None:
        return None
    if not unit.dimension and _CHANGES.intersection(re.split(r"[ -]", written.casefold())):
        return None
    whole = match["word"] is not None or (match["decimal"] or "").replace(",", "").isdigit()
    whole = whole and not (match["exponent"] or match["power"] or match["raised"])
    digits = _digits(match)
    digits = None if digits is None else digits - power
    return Quantity(value * 10**power, whole, percent, unit, digits)


def same_quantity(one: Quantity, other: Quantity, question: str) -> bool | None:
    """Compare two quantities as answers to `question`, which may name their unit.

    Returns:
        Whether they are equal; None if that depends on a unit that only one of them and not the
        question names, or if the units differ.
    """
    equal = _equal(one, other)
    if one.percent or other.percent:
        return _same_percentage(one, other, question)
    if one.unit == other.unit:
        return equal
    if one.unit.name and other.unit.name:
        return None
    unit = one.unit if one.unit.name else other.unit
    if names(question, unit):
        return equal
    return None if equal or unit.measured else False


def may_be_rounded(one: Quantity, other: Quantity) -> bool:
    """Return whether the numbers differ by at most a unit in the last place of the less precise.

    A percentage is also compared as the share that it is.
    """
    step = max(_step(one), _step(other))
    apart = [abs(one.value - other.value)]
    if one.percent != other.percent:
        share, number = (one, other) if one.percent else (other, one)
        apart.append(abs(share.value / 100 - number.value))
    return min(apart) <= step


def _step(number: Quantity) -> Fraction:
    return Fraction(0) if number.digits is None else Fraction(10) ** -number.digits


def _digits(match: re.Match[str]) -> int | None:
    decimal = match["decimal"]
    if match["word"]:
        return 0
    if decimal is None or match["raised"]:
        return None
    power = int(match["exponent"] or match["power"] or 0)
    whole, _, places = decimal.replace(",", "").partition(".")
    zeros = 0 if places else len(whole) - len(whole.rstrip("0"))
    return max(-400, len(places) - zeros - power)


def _same_percentage(one: Quantity, other: Quantity, question: str) -> bool | None:
    equal = _equal(one, other)
    if one.percent and other.percent:
        return equal
    share, number = (one, other) if one.percent else (other, one)
    if number.unit.name:
        return None
    if re.search(r"%|\bper ?cent", question, re.IGNORECASE):
        return True if equal else _unless_fraction(share, number)
    return None if equal else _near(share.value / 100, number.value)


def _unless_fraction(share: Quantity, number: Quantity) -> bool | None:
    """Return None if the number may be the share as a fraction (0.5 beside 50%), else False."""
    return None if _near(share.value / 100, number.value) else False


def _scale(after: str) -> tuple[int, str]:
    """Return the power of ten of the scale word after a number, and what follows that word."""
    first, _, rest = after.partition(" ")
    power = SCALES.get(first.casefold(), 0)
    return (power, rest.strip()) if power else (0, after)


def _equal(one: Quantity, other: Quantity) -> bool:
    if one.exact and other.exact:
        return one.value == other.value
    return _near(one.value, other.value)


def _near(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def _value(match: re.Match[str]) -> Fraction | None:
    top, bottom = match["top"] or match["ltop"], match["bottom"] or match["lbottom"]
    if match["word"]:
        value = Fraction(_WORDS[re.sub(r"(?<=ty) ", "-", match["word"].lower())])
    elif top:
        below = _fraction(bottom)
        if not below:
            return None
        value = _fraction(top) / below + int(match["mixed"] or 0)
    else:
        power = int(match["exponent"] or match["power"] or 0)
        value = _fraction(match["decimal"]) * Fraction(10) ** power
        if match["raised"]:
            if not value and match["raised"].startswith("-"):
                return None
            value **= int(match["raised"])
    return -value if match["sign"] == "-" else value


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))
