"""How an answer ended, by any server's word: `length`, `MAX_TOKENS`, `FinishReason.SAFETY`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum


class Ending(StrEnum):
    """How an answer ended."""

    COMPLETE = "complete"
    CUT = "cut"
    """At the limit of tokens, or of the context, or of repetition if that was asked for."""
    FILTERED = "filtered"
    """Stopped by the model or by the server's content filter."""
    GAVE_UP = "gave_up"
    """Ended by a fault of the server."""


_WORDS = {
    Ending.GAVE_UP: (
        r"abort(ed)?|error|cancell?ed|malformed|insufficient_system_resource|rate_limit(ed)?"
    ),
    Ending.FILTERED: (
        r"content_?filter(ed)?|safety|recitation|blocklist|block(ed)?|prohibited_content|spii"
        r"|refus(al|ed)|moderat(ion|ed)|guardrail|sensitive"
    ),
    Ending.CUT: (
        r"length|max(imum)?_?tokens?|max(imum)?_\w{1,20}_(tokens?|length|len)|limit|budget"
        r"|context_window_exceeded|max_?len(gth)?|repetition|incomplete|truncat(ed|ion)"
        r"|cut(_?(off|short))?|(ctx|context|window|cache)_full|out_of_(tokens|context|space)|too_long"
    ),
}
_PATTERNS = {
    ending: re.compile(rf"(^|_)({words})(_|$)", re.IGNORECASE) for ending, words in _WORDS.items()
}


def ending(reasons: Iterable[str]) -> Ending:
    """Return how an answer ended.

    Args:
        reasons: what the server says about it, in any case, spelling or prefix. The worst counts.
    """
    spelled = [_snake(reason) for reason in reasons]
    for kind, pattern in _PATTERNS.items():
        if any(pattern.search(reason) for reason in spelled):
            return kind
    return Ending.COMPLETE


def _snake(reason: str) -> str:
    """Spell `FinishReason.MaxTokens` as `finish_reason_max_tokens`."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", reason)
    return re.sub(r"[^a-z0-9]+", "_", parted.lower())
