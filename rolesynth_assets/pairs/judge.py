"""The judge's prompt for one caption, and the parser of its answer: a score of 1-100 and a reason.

The score is on the first line and the reason after it, as in MLM-Filter, so that the first tokens
of an answer suffice to read the score (paper, role-aware filter).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import NamedTuple

from rolesynth_assets.mllm.engine import ChatReply, FailureReason, Sampling
from rolesynth_assets.pairs.caption_data import as_data
from rolesynth_assets.roles.role import Role
from rolesynth_assets.store.digests import digest

LOWEST, HIGHEST = 1, 100
"""The scale of the paper's role-aware filter."""

JUDGE_SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=48)
"""Greedy, and room for the score and one short reason."""

MAX_RATIONALE = 400
"""Characters of the reason that are stored."""

MAX_FIRST_LINE = 300
"""Characters of the answer in which the score is looked for."""


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
    """The first line does not start with a number."""
    OUT_OF_RANGE = "out_of_range"
    """An integer below 1 or above 100."""
    NOT_AN_INTEGER = "not_an_integer"
    """A decimal such as 87.5: rounding would hide that the judge does not follow the scale."""
    AMBIGUOUS = "ambiguous"
    """A number that need not be the score: "8 7", "80-90", "8/10", "3 dogs run"."""


class Judgement(NamedTuple):
    """A parsed answer: `score` of 1-100, and the reason if the judge gave one."""

    score: int
    rationale: str | None


class JudgePrompt(NamedTuple):
    """The judge's system text, and its user text with {name}-style placeholders."""

    system: str
    template: str

    @property
    def fingerprint(self) -> str:
        """Identity of the prompt: 64 hex characters over system text, template and sampling."""
        return digest("judge", self.system, self.template, JUDGE_SAMPLING.fingerprint())

    def render(self, role: Role, caption: str) -> str:
        """Return the user text that asks for one caption's score; the image comes before it.

        The text is one line with single spaces: role name, responsibilities, caption, instruction.
        A caption that could be read as an order is put between two marks that it cannot contain.
        """
        text = self.template.format(
            name=role.name, responsibilities=role.responsibilities, caption=as_data(caption)
        )
        return " ".join(text.split())


@cache
def judge_prompt() -> JudgePrompt:
    """Read the shipped prompt from `templates/judge_system.txt` and `templates/judge.txt`."""
    folder = resources.files("rolesynth_assets.pairs") / "templates"
    return JudgePrompt(
        system=(folder / "judge_system.txt").read_text("utf-8").strip(),
        template=(folder / "judge.txt").read_text("utf-8").strip(),
    )


_SCORE = re.compile(
    r"""
    (?:(?:score|rating)\s*(?:is\b\s*)?[:=]?\s*)?  # "Score: 87"
    (?P<sign>[-+])?
    (?P<whole>[0-9]{1,9})
    (?P<fraction>[.,][0-9]+)?
    (?P<scale>\s*(?:/|out\s+of)\s*(?P<of>[0-9]{1,9}))?
    (?P<rest>.*)
    """,
    re.IGNORECASE | re.VERBOSE,
)

_ENDED = re.compile(r"\s*\.?")
_REASONED = re.compile(r"(?:\s*[:;,]|\s[-\u2013\u2014])\s+(?P<reason>\D.*)")
"""A reason on the score's own line needs a separator: "3 dogs run" is a caption and not a score of
3, and "1. The caption is true" is a numbered list and not a score of 1."""

_LABEL = re.compile(r"^(?:reason|rationale|explanation)\s*[:=-]\s*", re.IGNORECASE)


def parse_score(text: str) -> Judgement | ScoreReason:
    """Parse an answer of the judge.

    The score is on the first line that is not blank: "87", "87.", "87/100", "87 out of 100",
    "Score: 87", "**87**", each alone or followed by the reason ("87: names every object"). The
    remaining text is the reason.

    Returns:
        The judgement, or the reason why there is none. A decimal is not rounded, another scale
        ("8/10") is not converted, and two numbers ("8 7", "80-90") are ambiguous.
    """
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    if not lines:
        return ScoreReason.EMPTY
    first = lines[0][:MAX_FIRST_LINE].replace("*", "").replace("`", "").strip(" #\t\"'")
    match = _SCORE.fullmatch(first)
    if match is None:
        return ScoreReason.NO_SCORE
    if match["fraction"]:
        return ScoreReason.NOT_AN_INTEGER
    if match["of"] and int(match["of"]) != HIGHEST:
        return ScoreReason.AMBIGUOUS
    reasoned = _REASONED.fullmatch(match["rest"])
    if reasoned is None and not _ENDED.fullmatch(match["rest"]):
        return ScoreReason.AMBIGUOUS
    score = int(match["whole"]) * (-1 if match["sign"] == "-" else 1)
    if not LOWEST <= score <= HIGHEST:
        return ScoreReason.OUT_OF_RANGE
    return Judgement(score, _rationale([reasoned["reason"] if reasoned else "", *lines[1:]]))


def judge_reply(reply: ChatReply) -> Judgement | ScoreReason:
    """Parse an engine's reply: its text, or the part of a truncated text that arrived.

    A truncated answer is valid if its first line is complete: only the reason was cut short.
    """
    if reply.text is not None:
        return parse_score(reply.text)
    if reply.reason == FailureReason.TRUNCATED and "\n" in reply.detail.strip():
        parsed = parse_score(reply.detail)
        return parsed if isinstance(parsed, Judgement) else ScoreReason.TRUNCATED
    assert reply.reason is not None  # the reply's own invariant
    return ScoreReason(reply.reason.value)


def _rationale(parts: list[str]) -> str | None:
    text = _LABEL.sub("", " ".join(" ".join(parts).split()))
    return text[:MAX_RATIONALE].strip() or None
