"""The state of a page as the query of its address, which holds all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from rolesynth_assets.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def query_string(state: DataclassInstance, changes: Mapping[str, Any]) -> str:
    """Return a state with some changes as the query of an address, without defaults.

    A change of anything but the page leads to the first page.

    Args:
        state: fields of the page, each with a default; one is ``page``.
        changes: new values by field.
    """
    changed, plain = replace(state, **({"page": 1} | dict(changes))), type(state)()
    values = {field.name: getattr(changed, field.name) for field in fields(state)}
    return urlencode(
        {name: v for name, v in values.items() if v is not None and v != getattr(plain, name)}
    )


def given_number(text: str, name: str) -> int:
    """Read a number of an address, at least 1.

    Raises:
        InputError: the text is no number.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InputError(f"{name}={text[:20]!r} is no number.")
    return max(1, int(text))
