"""What failed for a reason that may be gone the next time, as a materialization records it."""

from collections.abc import Mapping

TAG = "rolesynth/to_ask_again"
"""Tag of a materialization; its value is a count with its noun, such as "47_rows"."""


def passing_tags(count: int, noun: str = "row") -> dict[str, str]:
    """Return the tags of a partition of which some failed for a transient reason.

    Args:
        count: how many.
        noun: of what, in the singular.
    """
    return {TAG: f"{count}_{noun}{'s' if count > 1 else ''}"} if count else {}


def to_ask_again(tags: Mapping[str, str]) -> str:
    """Return what of a materialization failed for a transient reason, such as "1,200 rows".

    It is empty where nothing did.
    """
    if not (value := tags.get(TAG)):
        return ""
    count, _, noun = value.partition("_")
    return f"{int(count):,} {noun}"
