"""What failed for a reason that may be gone the next time, as a materialization tells it."""

from collections.abc import Mapping

TAG = "rolesynth/to_ask_again"
"""Tag of a materialization; its value is a count with its noun, such as "47 rows"."""


def passing_tags(count: int, noun: str = "row") -> dict[str, str]:
    """Return the tags of a partition of which some failed for a passing reason.

    Args:
        count: how many.
        noun: of what, in the singular.
    """
    return {TAG: f"{count:,} {noun}{'s' if count > 1 else ''}"} if count else {}


def to_ask_again(tags: Mapping[str, str]) -> str:
    """Return what of a materialization failed for a passing reason; empty if nothing did."""
    return tags.get(TAG, "")
