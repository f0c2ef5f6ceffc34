"""Text from outside, as a terminal may show it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def printable(text: str) -> str:
    """Replace what would steer a terminal, such as escape characters in a file's name."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_json(value: Any, indent: int | None = None) -> str:
    """Return a value as JSON that any parser reads and that does not steer a terminal.

    What would steer it is escaped, so the parser gets the text as it is. JSON has no NaN and no
    infinity: both are null. Bytes are only counted, and other values are written as text.

    Args:
        value: numbers, texts, lists, mappings and what else a table holds.
        indent: spaces of a level; everything is on one line if it is None.
    """
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, indent=indent)
    # json.dumps has escaped the line ends of texts; those that are left are its own
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def cell_text(value: Any) -> str:
    """Return a value of a table as a terminal may show it; nothing for null, bytes are counted."""
    plain = value if isinstance(value, float) else _plain(value)
    return "" if plain is None else printable(str(plain))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value):,} bytes>"
    if isinstance(value, Mapping):
        return {_name(key): _plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


def _name(key: Any) -> str:
    return key if isinstance(key, str) else str(_plain(key))
