"""Equality of mathematical expressions by math-verify, in bounded time."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from rolesynth_assets.answers.checker_process import CHECKERS, CheckerStartError
from rolesynth_assets.answers.ranges import holds_difference

MAX_CHARS = 200
"""Most characters of one expression; longer expressions are not compared."""
SECONDS = 8.0
"""One comparison; then the worker is ended and the answer is not known."""
STEP_SECONDS = 2
"""math-verify's own limit on a step of a comparison."""
TOLERANCE = 1e-6
"""Relative, as for plain numbers."""

_MATHS = re.compile(r"[\\^_=\u221a\u03c0]|[\w)\]}]\s?[-+*/]\s?[\w(\[{\\]|\d[a-z]|[a-z]\d|[(\[].*,")
_FUNCTIONS = r"sqrt|sin|cos|tan|log|ln|exp|pi|theta|alpha|beta|frac|times|cdot|infty"
_PROSE = re.compile(
    rf"(?<![\\a-z])(?!(?:{_FUNCTIONS})\b)[a-z]{{3,}}|\b(?:to|or|in|at|by|is|of|on|no|if|am|pm)\b"
)
# capitals and percent; times and ratios; a choice of two numbers; numbers beyond any answer
_LEFT_OUT = re.compile(
    r"[A-Z%~]|\d ?: ?\d|\u00b1|\\[pm]{2}(?![a-z])|\d{16}|\^\{?-?\d{4}|\^[^\s+*-]*\^|\d\d!|!!"
)
_ASSIGNED = re.compile(r"\\?[a-z]+(?:_\{?\w+\}?)? ?=[^=<>]+")
_SIZE = re.compile(r"(\d+) ?(?:x|\u00d7|\\times) ?(\d+)")
"""The size of a matrix or a grid, of which the rows come first."""
_ROOT = re.compile(r"(?:\\?sqrt|\u221a) ?\(([^()]*)\)|\u221a ?(\d+|[a-z])")
_NAMED = re.compile(rf"(?<![\\a-zA-Z])(?:{_FUNCTIONS})(?![a-z])")


def same_expression(one: str, other: str) -> bool | None:
    r"""Compare two expressions, plain or LaTeX, such as 2\sqrt{5} and \sqrt{20}.

    Expressions with capital letters or percent are not compared, since math-verify reads H as h,
    the letters of NaCl as factors in any order, and 50% as 50.

    Returns:
        Whether they are equal; None where that is not known: prose, an expression too long or too
        hard, symbols for which no equality is found, no worker that starts. Takes at most
        `SECONDS`, not counting the start of a worker or the wait for a free one.
    """
    if not (_mathematical(one) and _mathematical(other)):
        return None
    if not (_MATHS.search(one) or _MATHS.search(other)):
        return None
    if _brackets(one) != _brackets(other):
        return None  # {1, 2} is no point, and (1, 2) no set
    sizes = _SIZE.fullmatch(one), _SIZE.fullmatch(other)
    if sizes[0] and sizes[1]:
        return True if sizes[0].groups() == sizes[1].groups() else None
    parts = _difference(one), _difference(other)
    if parts[0] and parts[1]:
        # a range from one angle to another looks the same: it is equal where both ends are
        pairs = zip(parts[0], parts[1], strict=True)
        return True if all(_same_part(first, second) for first, second in pairs) else None
    return _settled(one, other)


def _brackets(text: str) -> str:
    """Return the brackets around a list of several parts; empty if it has none or is no list."""
    around = text[:1] + text[-1:]
    if "," not in text or around not in ("()", "[]", "(]", "[)"):
        return ""
    return around


def _settled(one: str, other: str) -> bool | None:
    try:
        return _compared(_as_latex(one), _as_latex(other))
    except CheckerStartError:  # nothing that the answers are to blame for, so not remembered
        return None


def _same_part(one: str, other: str) -> bool:
    return one == other or _settled(one, other) is True


def _difference(text: str) -> tuple[str, str] | None:
    """Return both sides of an expression that is one difference, "A - B"; else None."""
    depth, places = 0, []
    for place, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and sign in "+-" and text[:place].rstrip(" ")[-1:] not in ("", *"+-*/^=(e"):
            places.append(place)
    if len(places) != 1 or text[places[0]] != "-":
        return None
    return text[: places[0]].strip(), text[places[0] + 1 :].strip()


def _mathematical(text: str) -> bool:
    if not text or len(text) > MAX_CHARS or _LEFT_OUT.search(text) or holds_difference(text):
        return False
    if "=" in text and not _ASSIGNED.fullmatch(text):
        return False  # math-verify reads only the right-hand side: 2x=6 would be 6
    return not _PROSE.search(text)


def _as_latex(text: str) -> str:
    text = _ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text)
    text = text.replace("\u03c0", r"\pi ").replace("\u00d7", r"\times ").replace("\u00f7", "/")
    text = text.replace("\u00b7", r"\cdot ").replace("\u221e", r"\infty ")
    return _NAMED.sub(r"\\\g<0>", text)


@lru_cache(maxsize=50_000)
def _compared(one: str, other: str) -> bool | None:
    return CHECKERS.ask(compare, (one, other), SECONDS)


def compare(one: str, other: str) -> bool | None:
    """Compare two LaTeX expressions, without a bound on time or memory: only a worker calls it.

    Returns:
        True if they are equal, False if both are numbers and differ; None where math-verify merely
        finds no equality of two expressions.
    """
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    # units stay, or 5 cm would equal 5 m
    normal = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
    )
    read = [
        parse(
            f"${text}$",
            [LatexExtractionConfig(normalization_config=normal)],
            fallback_mode="no_fallback",
            parsing_timeout=STEP_SECONDS,
        )
        for text in (one, other)
    ]
    if not all(read):
        return None
    first, second = (_number(parsed[0]) for parsed in read)
    if first is not None and second is not None:
        return abs(first - second) <= TOLERANCE * max(abs(first), abs(second))
    equal = any(  # verify is not symmetric
        verify(gold, target, float_rounding=6, timeout_seconds=STEP_SECONDS)
        for gold, target in (read, reversed(read))
    )
    return True if equal else None


def _number(parsed: Any) -> complex | None:
    """The value of an expression without symbols, or None."""
    if not getattr(parsed, "is_number", False):
        return None
    value = complex(parsed.evalf(20))
    return value if abs(value) < 1e300 else None
