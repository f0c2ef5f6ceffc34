"""Units of measurement in one spelling, and the units that a question names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from rolesynth_assets.answers.unit_names import (
    COMPOUNDS,
    DEGREES,
    EAST_ASIAN,
    NAMES,
    SINGLE_SIGNS,
    SYMBOLS,
    Known,
)

MAX_QUESTION = 8_000
"""Characters at the start of a question in which units are searched."""

_EAST = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_TOKEN = re.compile(
    rf"""
    (?P<per>/|\bper\b|\u6bcf|\u6bce)
    | (?P<power>\^\s?\{{?\s?(?P<caret>[-+]?\d)\s?\}}?|\*\*\s?(?P<stars>[-+]?\d)
        |(?<=[^\W\d_])(?P<digit>[-+]?\d)(?!\d)|\b(?P<worded>squared|cubed)\b)
    | (?P<before>\bsq(?:uare)?\b|\bcu(?:bic)?\b|\u5e73\u65b9|\u7acb\u65b9
        |\uc138\uc81c\uacf1|\uc81c\uacf1)
    | (?P<times>[\s.*\u00b7-]+)
    | (?P<open>\() | (?P<close>\))
    | (?P<east>{"|".join(map(re.escape, EAST_ASIAN))})
    | (?P<word>(?:(?!{_EAST})[^\W\d_])+|[{re.escape(SINGLE_SIGNS)}])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PLURAL = re.compile(r"(?<=[A-Za-z]{3})\(e?s\)")
_SHOUTED = re.compile(r"(?:KM|CM|MM|KG)(?![a-zA-Z])")
_POWERS = {"squared": 2, "cubed": 3, "sq": 2, "square": 2, "cu": 3, "cubic": 3}
_POWERS |= {"\u5e73\u65b9": 2, "\u7acb\u65b9": 3, "\uc81c\uacf1": 2, "\uc138\uc81c\uacf1": 3}
_LINKS = re.compile(r"\b(?:per|sq|square[d]?|cu|cubic|cubed|deg|degrees?)\b|\u00b0", re.IGNORECASE)
_PRODUCTS = frozenset({"metre newton", "hour kilowatt", "hour watt", "ampere hour"})
"""Products that a question may write with a mere space, as in "the torque in N m"."""
_SCALES = {"coulomb": "celsius", "farad": "fahrenheit"}
"""Units whose symbols also mean a scale of temperature, if the question asks for one."""
_NOT_ALONE = frozenset({"in", "bar"})
_MEASURES = {
    2: re.compile(r"\barea|\u9762\u79ef|\u9762\u7a4d|\ub113\uc774", re.IGNORECASE),
    3: re.compile(r"\bvolume|\bcapacity|\u4f53\u79ef|\u4f53\u7a4d|\ubd80\ud53c", re.IGNORECASE),
}
_ANGLE = re.compile(r"\bangles?\b|\\angle\b|\u2220|\u89d2|\uac01", re.IGNORECASE)
_HOW_MANY = "\u5c11\u51e0\u5e7e\u4f55\uba87"
"""Last characters of the words for "how many" in Chinese, Japanese and Korean."""
_ASKED = re.compile(
    rf"(?:^|\s)(?:in|how many|how much|number of|unit:?)$|[{_HOW_MANY}] ?$", re.IGNORECASE
)
_LATIN = r"[A-Za-z\u00b0\u03bc\u03a9%]"
_SCRIPT_CHANGES = re.compile(rf"(?<={_EAST})(?={_LATIN})|(?<={_LATIN})(?={_EAST})")


@dataclass(frozen=True)
class Unit:
    """A unit, or a thing that is counted.

    Attributes:
        name: in one spelling, such as "metre second^-1" or "red apple"; empty without a unit.
        measured: whether it can be converted to other units, unlike a thing that is counted.
        dimension: what it measures, such as "length second^-1"; empty if that is not known.
    """

    name: str
    measured: bool = False
    dimension: str = ""


NO_UNIT = Unit("")


@lru_cache(maxsize=20_000)
def read_unit(text: str) -> Unit | None:
    """Read a unit in any spelling: "m/s", "m s^-1", "metres per second", "cm2", "sq. cm".

    Args:
        text: what follows a number, normalised by `spelling.plain`.

    Returns:
        The unit; a thing that is counted, by its words in the singular; None if it is neither.
    """
    text = _PLURAL.sub("s", text.strip(" .")).replace("mm Hg", "mmHg")
    if not text:
        return NO_UNIT
    if text[0] in "-/*" or text[-1] in "-/*":
        return None
    known = _known_unit(text)
    if known:
        return known
    if re.search(r"[\d()^]|\*\*", text) or not re.search(r"[^\W\d_]|['\"%\u00a5]", text):
        return None
    if not text.replace(" ", "").isalpha() or (len(text) <= 3 and not text.islower()):
        compact = re.sub(r"[ {}.]", "", text)  # an unknown compound or symbol
        return Unit(compact, measured=not compact.isalpha())
    return Unit(" ".join(_singular(word) for word in text.casefold().split()))


def names(question: str, unit: Unit) -> bool:
    """Return whether a question names a unit as that of its answer.

    If it names several units of one dimension, it must ask for this one ("in cm"). The area of a
    figure whose lengths are in cm is in cm^2, and its volume in cm^3; an angle is in degrees.
    """
    question = question[:MAX_QUESTION]
    if not unit.dimension:
        return _counts(question, unit.name)
    found = _units_of(question)
    if unit not in found:
        if unit.dimension.startswith("bare"):  # "12 square units" of a figure without units
            return not any(other.measured for other in found)
        if unit.name in _SCALES and all(other.dimension != unit.dimension for other in found):
            return any(other.name == _SCALES[unit.name] for other in found)
        return _implied(question, unit, found)
    rivals = {other for other in found if other.dimension == unit.dimension}
    if len(rivals) == 1:
        return True
    return {other for other in rivals if found[other]} == {unit}


def _implied(question: str, unit: Unit, found: dict[Unit, bool]) -> bool:
    if unit.name == "degree":
        return not any(other.dimension == "angle" for other in found) and bool(
            _ANGLE.search(question)
        )
    if unit.name == "lb":  # a question's "pounds" may be money or mass
        return any(other.name == "pound" for other in found)
    base, _, power = unit.name.partition("^")
    measure = _MEASURES.get(int(power)) if power.isdecimal() else None
    if measure is None or not measure.search(question):
        return False
    lengths = {other.name for other in found if other.dimension == "length"}
    return lengths == {base} and all(other.dimension != unit.dimension for other in found)


def _counts(question: str, name: str) -> bool:
    if re.search(_EAST, name):
        return name in question
    tokens = re.findall(r"[^\W\d_]+|[^\s()?,;]+", question)
    named = {_singular(token.rstrip(".").casefold()) for token in tokens} | set(tokens)
    return set(name.split()) <= named


def _known_unit(text: str) -> Unit | None:
    """Read a unit all of whose parts are known."""
    factors = _factors(text.lower() if _SHOUTED.match(text) else text)
    if not factors:
        return None
    units: dict[str, int] = {}
    dimensions: dict[str, int] = {}
    for (name, dimension), power in factors:
        units[name] = units.get(name, 0) + power
        dimensions[dimension] = dimensions.get(dimension, 0) + power
    return Unit(_spelled(units), True, _spelled(dimensions) or "number")


def _spelled(factors: dict[str, int]) -> str:
    return " ".join(
        name if power == 1 else f"{name}^{power}"
        for name, power in sorted(factors.items())
        if power
    )


def _factors(text: str) -> list[tuple[Known, int]] | None:
    """Return the known units of a compound with their powers; None if a part is not known."""
    factors: list[tuple[Known, int]] = []
    size, sign, grouped, place = 1, 1, 1, 0
    last = 0  # how many factors the last word gave: a power after it counts for them
    for token in _TOKEN.finditer(text):
        if token.start() != place:
            return None
        place = token.end()
        if token["per"]:
            sign = -1
        elif token["open"]:
            grouped, sign = grouped * sign, 1
        elif token["close"]:
            grouped, last = 1, 0
        elif token["before"]:
            size = _POWERS[token["before"].casefold()]
        elif token["power"]:
            if not last:
                return None
            written = token["caret"] or token["stars"] or token["digit"]
            power = int(written) if written else _POWERS[token["worded"].casefold()]
            factors[-last:] = [(known, exponent * power) for known, exponent in factors[-last:]]
            last = 0
        elif token["word"] or token["east"]:
            found = _looked_up(token["east"] or token["word"], factors)
            if found is None:
                return None
            factors += [(known, power * size * sign * grouped) for known, power in found]
            last, size, sign = len(found), 1, 1
    if place != len(text) or sign == -1:
        return None
    if size != 1:  # "cm sq"
        if not last:
            return None
        factors[-1] = (factors[-1][0], factors[-1][1] * size)
    return factors


def _looked_up(word: str, before: list[tuple[Known, int]]) -> list[tuple[Known, int]] | None:
    """Look up a word; a scale after "degree" replaces the degree."""
    scale = DEGREES.get(word) or DEGREES.get(word.casefold())
    if scale and before and before[-1] == (SYMBOLS["\u00b0"], 1):
        before.pop()
        return [(scale, 1)]
    if word in COMPOUNDS:
        return list(COMPOUNDS[word])
    low = word.casefold()
    found = SYMBOLS.get(word) or NAMES.get(low) or NAMES.get(_singular(low))
    if found is None and word in ("Cm", "Km", "Kg"):
        found = SYMBOLS[low]
    return [(found, 1)] if found else None


def _singular(word: str) -> str:
    word = re.sub(r"(met|lit)er(s?)$", r"\1re\2", word)
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@lru_cache(maxsize=512)
def _units_of(question: str) -> dict[Unit, bool]:
    """Return the units that a question names, each with whether the question asks for it."""
    from rolesynth_assets.answers.spelling import plain

    found: dict[Unit, bool] = {}
    if re.search(r"\$\s?\d[\d,.]*(?=[\s,.?!)]|$)|\bin \$|\(\$\)", question):
        found[Unit("dollar", True, "dollars")] = False
    text = re.sub(r"\$", "", plain(question)).replace("mm Hg", "mmHg")
    for unit, before in (*_worded(text), *_east_asian(text)):
        found[unit] = found.get(unit, False) or bool(_ASKED.search(before))
    return found


def _worded(text: str) -> Iterator[tuple[Unit, str]]:
    """Yield the units in a text with spaces, the longest at each place, and what precedes each."""
    text = _SCRIPT_CHANGES.sub(" ", text)
    tokens = [
        (match[0].rstrip("."), match.start())
        for match in re.finditer(
            r"[^\s,;:?!\"\[\]()]+(?:(?:(?<=/)\([^()]{1,20}\)|\([^()\s]*\))[^\s,;:?!()]*)?", text
        )
    ]
    place = 0
    while place < len(tokens):
        for size in (6, 5, 4, 3, 2, 1):
            words = [word for word, _ in tokens[place : place + size]]
            before = text[: tokens[place][1]].rstrip("([ ")
            unit = (
                _named_by(words, before, text[: tokens[place][1]]) if len(words) == size else None
            )
            if unit:
                yield unit, before[-20:]
                place += size - 1
                break
        place += 1


def _named_by(words: list[str], before: str, whole: str) -> Unit | None:
    written = " ".join(words)
    first = words[0].casefold()
    if not first or len(written) > 60 or first in ("per", "/") or (first == "in" and words[1:]):
        return None
    if len(words) == 1:
        written = re.sub(r"^-?\d[\d.,]*(?=[^\W\d_]|[\u00b0])", "", written)  # "6cm"
        if written in _NOT_ALONE:
            return None
        alone = len(written) == 1 and written.isalpha() and written == words[0]
        if alone and not (
            re.search(rf"(?:\bin|[\d{_HOW_MANY}])$", before) or whole.endswith(("(", "["))
        ):
            return None  # more often a variable or a label
    unit = _known_unit(written)
    plain_words = re.fullmatch(r"[^\W\d_]+(?: [^\W\d_]+)+", written)
    if unit and plain_words and not _LINKS.search(written) and unit.name not in _PRODUCTS:
        return None
    return unit


def _east_asian(text: str) -> Iterator[tuple[Unit, str]]:
    """Yield the units in a text without spaces between words."""
    names_of = "|".join(map(re.escape, EAST_ASIAN))
    size = "\u5e73\u65b9|\u7acb\u65b9|\uc81c\uacf1|\uc138\uc81c\uacf1"
    one = rf"(?:{size})?(?:{names_of})"
    for match in re.finditer(rf"{one}(?:[/\u6bcf]{one})*", text):
        before, after = text[: match.start()], text[match.end() :]
        within = re.search(rf"{_EAST}$", before) and not re.search(
            r"[\u5c11\u51e0\u6bcf\u70ba\u4e3a\u7528\u4ee5\u662f\u4f55]$", before
        )
        if len(match[0]) == 1 and (within or re.match(r"[\u3400-\u9fff]", after)):
            continue  # a part of another word
        unit = _known_unit(match[0])
        if unit:
            asked = re.search(r"(?:\u591a\u5c11|\u51e0|\u4f55|\uba87)\s?$", before)
            yield unit, " how many" if asked else ""
