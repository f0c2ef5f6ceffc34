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


def reason_words(reason: str | None) -> str:
    """Return a reason as people say it."""
    return _REASONS.get(reason or "", (reason or "").replace("_", " "))


def file_name(source: str) -> str:
    """Return the last part of where an image was read from: a file, or a member of an archive."""
    return source.rsplit("/", 1)[-1].rsplit("::", 1)[-1]
