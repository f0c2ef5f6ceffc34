"""What a reader of a materialization's page meets first."""

import math
from collections.abc import Mapping
from typing import Any

import dagster as dg

from rolesynth_assets.pictures.markdown import holds_image

DIGITS = 4
"""Significant digits of a number with a fraction."""
_EXACT = "rolesynth/cost"  # a refresh adds it up
_LAST = ("dagster/", "rolesynth/lance_version", "rolesynth/table_id")


def page_order(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Put pictures first and the stored table's facts last; shorten numbers with a fraction.

    The text between them keeps its order. Whole digits are never rounded away.
    """
    keys = sorted(metadata, key=lambda key: _place(key, metadata[key]))
    return {key: metadata[key] if key == _EXACT else _short(metadata[key]) for key in keys}


def _place(key: str, value: object) -> int:
    if isinstance(value, dg.MarkdownMetadataValue) and holds_image(value.md_str):
        return 0
    return 2 if key.startswith(_LAST) else 1


def _short(value: object) -> object:
    if not isinstance(value, float) or not math.isfinite(value) or value == 0:
        return value
    return round(value, max(0, DIGITS - 1 - math.floor(math.log10(abs(value)))))
