"""JSON of strangers, read within bounds on what it makes of memory."""

from __future__ import annotations

import json
from typing import Any

MAX_VALUES = 2_000_000
"""A value takes some 60 bytes, however short it is written."""


def read_json(text: str | bytes, max_values: int = MAX_VALUES, **options: Any) -> Any:
    """Read one JSON value.

    Args:
        text: its UTF-8 text.
        max_values: commas and brackets that it may have, those in texts included.
        options: of `json.loads`.

    Raises:
        ValueError: it is no JSON, nests too deep or has too many values.
    """
    marks = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    if sum(text.count(mark) for mark in marks) > max_values:  # type: ignore[arg-type]
        raise ValueError(f"more than {max_values} values")
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError("it nests too deep") from None
