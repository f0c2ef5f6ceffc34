"""Reading of the JSON objects in a model's reply, whatever text surrounds them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

MAX_CHARS = 100_000
"""Largest number of characters of a reply; a longer one is refused."""
MAX_STARTS = 50
"""Positions where an object may begin; bounds the work that a hostile reply causes."""

# Models write LaTeX into JSON without doubling the backslash. No reply means a backspace or a form
# feed. Of the commands that begin like a tab, a line break or a return, the common ones are listed.
_BARE_BACKSLASH = re.compile(
    r"""(\\\\)|\\(?=
        [^"\\/bfnrtu]
      | u(?![0-9a-fA-F]{4})
      | [bf][a-zA-Z]
      | (?:n(?:eq|abla|ot)|r(?:ho|ight|m|angle|floor|ceil)
         | t(?:imes|heta|ext(?:bf|rm|it)?|an|au|o|riangle|frac|herefore))(?![a-zA-Z])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class NumberText:
    """A JSON number in its original spelling: 1.10 and 1.1 are printed differently."""

    spelling: str


class RepeatedKeyError(ValueError):
    """An object has the same key twice, so it is not known which value is meant."""


def json_objects(reply: str) -> list[dict[str, object]]:
    """Find the outer JSON objects of a reply, in order.

    Text before ``</think>``, which a reasoning model writes, is left out. Code fences and prose
    around an object, and line breaks inside strings, are accepted. Numbers become `NumberText`.

    Raises:
        ValueError: the reply is too long, or an object repeats a key or holds NaN or Infinity.
    """
    if len(reply) > MAX_CHARS:
        raise ValueError(f"{len(reply)} characters; at most {MAX_CHARS} are read")
    text = reply.rpartition("</think>")[2]
    text = _BARE_BACKSLASH.sub(lambda m: m[1] or r"\\", text)
    found: list[dict[str, object]] = []
    position = text.find("{")
    for _ in range(MAX_STARTS):
        if position < 0:
            break
        try:
            value, end = _DECODER.raw_decode(text, position)
            found.append(value)
        except (json.JSONDecodeError, RecursionError):
            end = position + 1
        position = text.find("{", end)
    return found


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise RepeatedKeyError("an object gives the same key twice")
    return value


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=NumberText,
    parse_int=NumberText,
    parse_constant=_no_number,
    strict=False,  # models write line breaks inside strings
)
