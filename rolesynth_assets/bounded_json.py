"""Reading of untrusted JSON, with a bound on the memory that it takes."""

from __future__ import annotations

import json
from typing import Any

MAX_VALUES = 2_000_000
"""Most values in one text; each takes some 60 bytes of memory, however short it is written."""


def count_values(text: str | bytes) -> int:
    """Return the number of commas and opening brackets, which bounds the number of values."""
    marks = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    return sum(text.count(mark) for mark in marks)  # type: ignore[arg-type]


def require_few_values(text: str | bytes, max_values: int = MAX_VALUES) -> None:
    """Require that a text has at most so many commas and opening brackets.

    Raises:
        ValueError: it has more.
    """
    if count_values(text) > max_values:
        raise ValueError(f"more than {max_values} values")


def read_json(text: str | bytes, max_values: int = MAX_VALUES, **options: Any) -> Any:
    """Read one JSON value.

    Args:
        text: text of the value; bytes are UTF-8.
        max_values: most commas and opening brackets, including those inside strings.
        options: options of `json.loads`.

    Raises:
        ValueError: the text is not JSON, nests too deep or has too many values.
    """
    require_few_values(text, max_values)
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError("it nests too deep") from None
