"""Numbers with or without a unit, in the spellings of answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

TOLERANCE = Fraction(1, 10**6)
"""Relative difference below which two numbers are equal, unless both are whole."""

_WORDS = (
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
          |\s?(?:\*|x|\u00d7|\\times|\\cdot)\s?10\s?\^\s?\{{?(?P<power>[-+]?\d{{1,3}})\}}?)?
      | (?P<word>{"|".join(sorted(_WORDS, key=len, reverse=True))})(?![\w-])
    )
    (?P<unit>(?:\s|(?=[^\w.,])|(?<=\d)(?=[^\W\d_]))
        (?:[^\W\d_]|[ %\u00b0\u20ac\u00a3\u00a5$/.*'-]|\^\{{?-?\d\}}?){{0,40}})?
    """,
    re.VERBOSE | re.IGNORECASE,
)
# words after a number that change it: "5 million", "two thirds", "3 and a half", "5 or more"
_SCALES = frozenset(
    "hundred thousand million billion dozen half halves third thirds quarter quarters fourths "
    "fifths tenths point and or to minus plus times squared cubed of pi x".split()
)
_SYMBOLS = {
    **{"m": "metre", "cm": "centimetre", "mm": "millimetre", "km": "kilometre"},
    **{"g": "gram", "kg": "kilogram", "mg": "milligram", "s": "second", "sec": "second"},
    **{"min": "minute", "h": "hour", "hr": "hour", "V": "volt", "A": "ampere", "W": "watt"},
    **{"J": "joule", "kJ": "kilojoule", "N": "newton", "Pa": "pascal", "Hz": "hertz"},
    **{"\u03a9": "ohm", "K": "kelvin", "L": "litre", "mL": "millilitre", "mol": "mole"},
    **{"\u00b0": "degree", "deg": "degree", "$": "dollar", "\u20ac": "euro", "\u00a3": "pound"},
}


@dataclass(frozen=True)
class Quantity:
    """A number and its unit.

    Attributes:
        value: exact value.
        whole: whether it is written as an integer.
        percent: whether it has a percent sign or word; `value` is the number before it.
        unit: name of the unit, singular and in one spelling; empty without a unit.
        measured: whether the unit can be converted to others, unlike a thing that is counted.
    """

    value: Fraction
    whole: bool
    percent: bool
    unit: str
    measured: bool


def quantity(text: str) -> Quantity | None:
    r"""Read the whole of `text`, normalised by `spelling.plain`, as one number.

    Examples are "1,234.5", "-3/4", "1 1/2", "\frac{3}{4}", "1.5 x 10^3", "2e5", "three", "50%",
    "6.9 V" and "three red apples". A number may have 30 digits and three digits of exponent.

    Returns:
        The quantity, or None if the text is not exactly one number.
    """
    match = _NUMBER.fullmatch(text) if len(text) <= 120 else None
    value = _value(match) if match else None
    if match is None or value is None:
        return None
    unit = (match["money"] or match["unit"] or "").strip(" .")
    if match["money"] and (match["unit"] or "").strip(" ."):
        return None
    if _SCALES.intersection(re.split(r"[ -]", unit.casefold())) and unit not in _SYMBOLS:
        return None
    percent = unit.casefold() in ("%", "percent", "per cent")
    whole = match["word"] is not None or (match["decimal"] or "").replace(",", "").isdigit()
    whole = whole and not (match["exponent"] or match["power"])
    name = "" if percent else _unit(unit)
    measured = name in _SYMBOLS.values() or not name.replace(" ", "").isalpha()
    return Quantity(value, whole, percent, name, bool(name) and measured)


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
    if one.unit and other.unit:
        return None
    unit, measured = (one.unit or other.unit), one.measured or other.measured
    if _names(question, unit):
        return equal
    return None if equal or measured else False


def _same_percentage(one: Quantity, other: Quantity, question: str) -> bool | None:
    equal = _equal(one, other)
    if one.percent and other.percent:
        return equal
    share, number = (one, other) if one.percent else (other, one)
    if number.unit:
        return None
    if re.search(r"%|\bper ?cent", question, re.IGNORECASE):
        return True if equal else _unless_fraction(share, number)
    return None if equal else _near(share.value / 100, number.value)


def _unless_fraction(share: Quantity, number: Quantity) -> bool | None:
    """Return None if the number may be the share as a fraction (0.5 beside 50%), else False."""
    return None if _near(share.value / 100, number.value) else False


def _equal(one: Quantity, other: Quantity) -> bool:
    if one.whole and other.whole:
        return one.value == other.value
    return _near(one.value, other.value)


def _near(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))


def _value(match: re.Match[str]) -> Fraction | None:
    top, bottom = match["top"] or match["ltop"], match["bottom"] or match["lbottom"]
    if match["word"]:
        value = Fraction(_WORDS.index(match["word"].lower()))
    elif top:
        below = _fraction(bottom)
        if not below:
            return None
        value = _fraction(top) / below + int(match["mixed"] or 0)
    else:
        power = int(match["exponent"] or match["power"] or 0)
        value = _fraction(match["decimal"]) * Fraction(10) ** power
    return -value if match["sign"] == "-" else value


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))


def _unit(text: str) -> str:
    """Return a unit in one spelling: the name of a symbol, else the singular in small letters."""
    if text in _SYMBOLS:
        return _SYMBOLS[text]
    if not text.replace(" ", "").isalpha() or (len(text) <= 3 and not text.islower()):
        return re.sub(r"[ {}.]", "", text)  # a compound such as m/s^2, or a symbol such as MW
    return " ".join(_singular(word) for word in text.casefold().split())


def _singular(word: str) -> str:
    word = re.sub(r"(met|lit)er(s?)$", r"\1re\2", word)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _names(question: str, unit: str) -> bool:
    """Whether each word of a unit occurs in the question, as a symbol or written out."""
    tokens = set(re.findall(r"[^\W\d_]+|[\u00b0$\u20ac\u00a3]|[^\s()?,;]+", question[:8_000]))
    named = {_unit(token.rstrip(".")) for token in tokens} | tokens
    return set(unit.split()) <= named
