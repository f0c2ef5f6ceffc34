"""The parser of a judge's answer: one score of 1-100 and a reason.

The prompt asks for the score on the first line and the reason after it. Judges also think first,
answer in JSON, or write a sentence around the score. The score is read from all of these, but never
guessed: of two numbers that could be the score, neither is.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from rolesynth_assets.mllm.engine import ChatReply, FailureReason

LOWEST, HIGHEST = 1, 100
"""The scale of the paper's role-aware filter."""

RULES_VERSION = "5"
"""Raise it with any change of the parser: stored answers without a score are read again."""

MAX_RATIONALE = 400
"""Characters of the reason that are stored."""

MAX_DETAIL = 500
"""Characters of an answer without a score, or of an error, that are stored."""

MAX_FIRST_LINE = 300
"""Characters of a line in which the score is looked for."""


class ScoreReason(StrEnum):
    """Why a caption has no score: the engine's reasons, then the parser's."""

    CALL_FAILED = FailureReason.CALL_FAILED.value
    TIMEOUT = FailureReason.TIMEOUT.value
    BAD_RESPONSE = FailureReason.BAD_RESPONSE.value
    TRUNCATED = FailureReason.TRUNCATED.value
    REFUSED = FailureReason.REFUSED.value
    EMPTY = FailureReason.EMPTY.value
    REJECTED = FailureReason.REJECTED.value
    OVERSIZED = FailureReason.OVERSIZED.value
    NO_SCORE = "no_score"
    """There is no number where a score would be."""
    OUT_OF_RANGE = "out_of_range"
    """An integer below 1 or above 100."""
    NOT_AN_INTEGER = "not_an_integer"
    """A decimal such as 87.5: rounding would hide that the judge does not follow the scale."""
    AMBIGUOUS = "ambiguous"
    """A number that need not be the score, or two: "8 7", "80-90", "8/10", "3 dogs run"."""


class Judgement(NamedTuple):
    """A parsed answer: `score` of 1-100, and the reason if the judge gave one."""

    score: int
    rationale: str | None


_SCALE = r"(?P<scale>\s*\(?(?:/|(?:out\s+)?of\b)\s*(?P<of>[0-9]{1,9})\)?)?"
_UNIT = r"(?:\s*(?:%|percent\b|points?\b|\u5206|\uc810|\u70b9))?"
_NUMBER = rf"(?P<sign>[-+])?(?P<whole>[0-9]{{1,9}})(?P<fraction>[.,][0-9]+)?{_UNIT}{_SCALE}{_UNIT}"
_BARE = re.compile(
    rf"(?:(?:score|rating|answer)\s*(?:is\b\s*)?[:=]?\s*)?{_NUMBER}(?P<rest>.*)", re.I
)

_LABEL = (
    r"(?:scor(?:e[sd]?|ing)|rating|rate[sd]?|grade[sd]?|mark|verdict|evaluation|answer|"
    r"(?:overall|total)(?=\s*[:=])|"
    r"(?:deserves?|merits?|earns?|assign(?:ed|s)?|award(?:ed|s)?|gives?|gave)(?=\s+"
    r"(?:(?:it|this|that|the|caption|description|text)\s+){0,3}(?:an?\s+)?[0-9])|"
    r"\u5f97\u5206|"
    r"\u8bc4\u5206|\u5206\u6570|\u30b9\u30b3\u30a2|\uc810\uc218|bewertung|punktzahl|"
    r"puntuaci\u00f3n|pontua\u00e7\u00e3o|punteggio|\u043e\u0446\u0435\u043d\u043a\u0430)"
)
_LABELLED = re.compile(
    rf"(?<!\w){_LABEL}\b[^0-9.!?\n]{{0,60}}?(?<![\w.,/]){_NUMBER}"
    r"(?=\s*(?:$|[.,;:!)\]\n\u2013\u2014-]|\(|(?:because|as|since|for|due|given|or|to|and|is)\b))",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?:(?:the|my|final|overall|total)\s+){{0,2}}(?:score|rating)\s*(?:is|[:=])\s*{_NUMBER}", re.I
)
_OF_HUNDRED = re.compile(rf"(?<![\w.,/-]){_NUMBER}")
_CALLED_SCORE = re.compile(
    rf"(?<![\w.,/-]){_NUMBER}\s+(?:is|as|seems|would be)\s+(?:an?|the|my)\s+(?:[\w-]+\s+){{0,2}}"
    r"(?:score|rating|grade)\b",
    re.IGNORECASE,
)
_LONE = re.compile(
    rf"^(?:(?:sure|certainly|of course|okay|ok|alright|yes)[!.,:]+\s+)?{_NUMBER}[.!]?$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line with nothing but a number."""
_WIDE = {0xFF10 + digit: str(digit) for digit in range(10)}
_WIDE |= {0xFF05: "%", 0xFF0F: "/", 0xFF1A: ":"}
"""Full-width digits and marks."""
_WHOLE_SCALE = re.compile(
    r"[(\[]?\b(?:on (?:a|the) )?(?:scale )?(?:of |from |between )?[01]\s*(?:-|\u2013|to|and)"
    r"\s*100\b[)\]]?",
    re.IGNORECASE,
)
_MARKS = re.compile(r"[*`#\"$|]|\\[()\[\]]|^\s*[-\u2022]\s+(?=[a-z])", re.I | re.M)
"""Marks of Markdown, LaTeX and tables."""
_OTHER_NUMBER = re.compile(
    r"\s*(?:-{1,2}>?|=>|\u2192|\u2013|\u2014|to|or|and|but|/)\s*[0-9]|"
    r",\s*[0-9]{1,3}\s*(?:$|[.,;\n])|[^.;\n]*?\b(?:or|maybe|perhaps|possibly|rather|even|"
    r"up to)\s+(?:an?\s+)?[0-9]{1,3}\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"[0-9]{1,2}[.)]\s+\D")

_ENDED = re.compile(r"[^\w/-]*")
_REASONED = re.compile(
    r"(?:\s*[:;,]|\s[-\u2013\u2014]|(?=\s(?:because|since|as)\b))\s+(?P<reason>\D.*)"
)
"""A reason on the score's own line needs a separator or "because": "3 dogs run" is a caption and
not a score of 3, and "1. The caption is true" is a numbered list and not a score of 1."""

_WHOLE = re.compile(r".*\n(?=.)|[^\n]*?[0-9](?:/100|%)?[.:;,]\s(?=\S)", re.DOTALL)
"""The part of a text cut short that is whole: all lines but the last, or what ends at a mark."""

_SENTENCES = re.compile(r".*[.!?\n]", re.DOTALL)

_REASON_LABEL = re.compile(
    r"^(?:reason|rationale|explanation|justification)\s*[:=-]\s*", re.IGNORECASE
)


def parse_score(text: str) -> Judgement | ScoreReason:
    """Parse an answer of the judge.

    The score is alone on the first line, or followed by the reason ("87", "87/100", "85%",
    "87: names every object"); or it has a label anywhere ("The score is 85.", "Final score: 87",
    "Rating: 85/100. It names ..."); or it is the only number out of a hundred, or the only one on a
    line of its own. What is left is the reason.

    Returns:
        The judgement, or the reason why there is none. A decimal is not rounded, another scale
        ("8/10") is not converted, and two numbers ("8 7", "80-90", two labelled scores) are
        ambiguous.
    """
    from rolesynth_assets.reply_text.rule import apply_rules
    from rolesynth_assets.reply_text.score import SCORE_RULES

    cleaned = apply_rules(text, SCORE_RULES, keep_lines=True)
    if cleaned.fault:
        return ScoreReason.AMBIGUOUS
    bare = _MARKS.sub("", cleaned.text)
    bare = _WHOLE_SCALE.sub(" ", bare.translate(_WIDE))
    lines = [stripped for line in bare.splitlines() if (stripped := line.strip(" \t',;:"))]
    if not lines:
        return ScoreReason.EMPTY
    first = lines[0][:MAX_FIRST_LINE]
    match = _BARE.fullmatch(first)
    if match and (found := _first_line(match, lines[1:])) is not ScoreReason.AMBIGUOUS:
        return found
    return _in_sentence("\n".join(line[:MAX_FIRST_LINE] for line in lines), first)


def judge_reply(reply: ChatReply) -> Judgement | ScoreReason:
    """Parse an engine's reply: its text, or the part of a truncated text that arrived.

    A truncated answer is valid if the score is whole: only the reason was cut short.
    """
    if reply.text is not None:
        return parse_score(reply.text)
    if reply.reason == FailureReason.TRUNCATED:
        text = reply.detail.strip()
        whole = _WHOLE.match(text)
        head, read = parse_score(whole[0]) if whole else None, parse_score(text)
        if isinstance(head, Judgement) and isinstance(read, Judgement) and head[0] == read[0]:
            return read
        return ScoreReason.TRUNCATED
    assert reply.reason is not None  # the reply's own invariant
    return ScoreReason(reply.reason.value)


def _first_line(match: re.Match[str], more: list[str]) -> Judgement | ScoreReason:
    reasoned = _REASONED.fullmatch(match["rest"])
    ended = reasoned or _ENDED.fullmatch(match["rest"])
    others = (_NAMED.match(line) or _LONE.fullmatch(line) for line in more)
    other = any(named and named["whole"] != match["whole"] for named in others)
    if not ended or other or _OTHER_NUMBER.match(match["rest"]):
        return ScoreReason.AMBIGUOUS
    return _judgement(match, [reasoned["reason"] if reasoned else "", *more])


def _in_sentence(text: str, first: str) -> Judgement | ScoreReason:
    """Read the one score with a label, the one number out of a hundred, or alone on a line."""
    found = [*_LABELLED.finditer(text), *_CALLED_SCORE.finditer(text)]
    if not found:
        found = [m for m in _OF_HUNDRED.finditer(text) if m["of"] == "100"]
    if not found:
        found = list(_LONE.finditer(text))
    if not found:
        return ScoreReason.AMBIGUOUS if "0" <= first[:1] <= "9" else ScoreReason.NO_SCORE
    numbers = {(m["sign"] or "", m["whole"], m["fraction"] or "") for m in found}
    match = found[-1]
    leading = _OF_HUNDRED.match(first)
    other_first = leading and not _LISTED.match(first) and leading["whole"] != match["whole"]
    if len(numbers) > 1 or other_first or _OTHER_NUMBER.match(text, match.end()):
        return ScoreReason.AMBIGUOUS
    after = text[match.end() :].strip(" .,;:!()-\u2013\u2014\n")
    before = _SENTENCES.match(text[: match.start()])
    return _judgement(match, [after or (before[0] if before else "")])


def _judgement(match: re.Match[str], reasons: list[str]) -> Judgement | ScoreReason:
    if match["fraction"]:
        return ScoreReason.NOT_AN_INTEGER
    if match["of"] and int(match["of"]) != HIGHEST:
        return ScoreReason.AMBIGUOUS
    score = int(match["whole"]) * (-1 if match["sign"] == "-" else 1)
    if not LOWEST <= score <= HIGHEST:
        return ScoreReason.OUT_OF_RANGE
    return Judgement(score, _rationale(reasons))


def _rationale(parts: list[str]) -> str | None:
    text = _REASON_LABEL.sub("", " ".join(" ".join(parts).split()))
    return text[:MAX_RATIONALE].strip() or None
