"""The process in which math-verify runs; it reads one comparison a line and writes one word a line.

It is a separate process because symbolic mathematics can run forever, and because the time limit of
math-verify is a signal, which works only in a main thread. `expressions` starts and ends it.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
from typing import Any

MEMORY = 2 * 2**30
"""Most bytes of address space, so that 9^{9^9} fails and does not fill the memory."""
SECONDS = 2
"""math-verify's own time limit on a step; `expressions` has a longer one for the process."""
TOLERANCE = 1e-6
"""Relative difference below which two numbers are equal, as for plain numbers."""


def compare(one: str, other: str) -> str:
    """Return whether two LaTeX expressions are "equal", "different" or "unknown".

    They are different only if both are numbers. If math-verify finds no equality of two other
    expressions, the result is unknown.
    """
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    # units are kept, or 5 cm would equal 5 m
    normal = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
    )
    read = [
        parse(
            f"${text}$",
            [LatexExtractionConfig(normalization_config=normal)],
            fallback_mode="no_fallback",
            parsing_timeout=SECONDS,
        )
        for text in (one, other)
    ]
    if not all(read):
        return "unknown"
    first, second = (_number(parsed[0]) for parsed in read)
    if first is not None and second is not None:
        near = abs(first - second) <= TOLERANCE * max(abs(first), abs(second))
        return "equal" if near else "different"
    equal = any(  # verify is not symmetric
        verify(gold, target, float_rounding=6, timeout_seconds=SECONDS)
        for gold, target in (read, reversed(read))
    )
    return "equal" if equal else "unknown"


def _number(parsed: Any) -> complex | None:
    """Return the value of an expression without symbols; None for any other."""
    if not getattr(parsed, "is_number", False):
        return None
    value = complex(parsed.evalf(20))
    return value if abs(value) < 1e300 else None


def main() -> None:
    """Answer comparisons until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        try:
            said = compare(*json.loads(line))
        except Exception:  # sympy may raise anything on odd input
            said = "unknown"
        print(said, flush=True)


if __name__ == "__main__":
    main()
