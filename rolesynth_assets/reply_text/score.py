"""The table of rules that prepare a judge's reply for the search of its score."""

from __future__ import annotations

from rolesynth_assets.reply_text import markup, wrapping
from rolesynth_assets.reply_text.rule import CannotCleanError
from rolesynth_assets.reply_text.structured import json_rule, leaves, tag_rule

_SCORES = ("score", "rating", "grade", "points", "value", "answer", "result")
_REASONS = ("reason", "rationale", "explanation", "justification", "comment")
_SCALES = ("max", "scale", "out_of", "outof")


def pick_score(value: object) -> str | None:
    """Return the score in a JSON value and the reason on the next line; None without a score."""
    known = [(key.casefold(), leaf) for key, leaf in leaves(value)]
    scales = [leaf for key, leaf in known if any(part in key for part in _SCALES)]
    named = [
        leaf
        for key, leaf in known
        if any(part in key for part in _SCORES)
        and not any(part in key for part in (*_SCALES, *_REASONS))
    ]
    scores = {str(leaf) for leaf in named if not isinstance(leaf, bool) and leaf is not None}
    if not scores:
        numbers = [
            leaf
            for key, leaf in known
            if (type(leaf) in (int, float) or (isinstance(leaf, str) and leaf.strip().isdecimal()))
            and not any(part in key for part in _SCALES)
        ]
        if len(numbers) > 1:
            raise CannotCleanError("several numbers and no score in one JSON value")
        scores = {str(number) for number in numbers}
    if len(scores) > 1:
        raise CannotCleanError("several scores in one JSON value")
    if not scores:
        return None
    score = f"{scores.pop()}/{scales[0]}" if len(scales) == 1 else scores.pop()
    reasons = [str(leaf) for key, leaf in known if any(part in key for part in _REASONS)]
    return "\n".join([score, *reasons])


SCORE_RULES = (
    *wrapping.BEFORE_ANSWER,
    json_rule(pick_score),
    tag_rule(r"(?:(?:final[_-]?)?(?:score|answer|rating|verdict)|output|result|response)"),
    markup.ENTITIES,
    markup.HTML,
    markup.ESCAPES,
    markup.QUOTES,
)
"""The rules in the order of their application."""
