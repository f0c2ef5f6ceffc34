"""Words for what the tables hold as codes."""

from __future__ import annotations

_REASONS = {
    "below_cut": "below the cut",
    "unscored": "no score",
    "forgotten": "its shard was forgotten",
    "excluded_by_reviewer": "excluded by a reviewer",
    "refused": "the model refused",
    "truncated": "cut off at the most tokens",
}
SHORT = 12
"""Characters of a shortened id."""


def reason_words(reason: str | None) -> str:
    """Return a reason as people say it."""
    return _REASONS.get(reason or "", (reason or "").replace("_", " "))


def short_id(key: str) -> str:
    """Return the beginning of an id."""
    return key[:SHORT]


def file_name(source: str) -> str:
    """Return the last part of where an image was read from: a file, or a member of an archive."""
    return source.rsplit("/", 1)[-1].rsplit("::", 1)[-1]


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as 2,973 pairs."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
