"""Detection of drawing instructions that give the answer away."""

from __future__ import annotations

import re
from enum import StrEnum

from rolesynth_assets.answers.options import options

MIN_QUOTED_WORDS = 4
"""Answers of at least this many words count as statements; an instruction that quotes one leaks it.
"""

_MARK = r"[\s\"'*_`:=<>(\[{$\\]"
_FILL = rf"(?:{_MARK}|\s-\s|boxed\b|to\s+(?:the|this)\s+(?:question|problem)\b)*"
_VERB = r"(?:is|was|equals|of|being|(?:should|must|will|would)\s+be)\b"
_ANNOUNCED = (
    rf"\b(?i:(?:answers?|correct\s+(?:option|choice|letter|value|result)|solution\s+to\s+the\s+\w+)"
    rf"{_FILL}(?:{_VERB}(?:{_MARK}|the\b|option\b|choice\b|letter\b|boxed\b)*)?)"
)
"""The words that announce an answer, up to the answer; "answer options: 3, 4" announces none."""

_TOLD = r"(?i:\s*,?\s*(?:(?:is|as|being)\s+(?:the\s+)?correct\b|\(\s*correct\b))"
_SHOWN = (
    r"\b(?i:(?:highlight|circl|encircl|tick|underlin|emphasi[sz]|mark)\w*"
    r"\s+(?:the\s+)?(?:option|choice|letter|answer)\s+)"
)


class Leak(StrEnum):
    """How a drawing instruction leaks its problem's answer."""

    ANNOUNCED = "announced"
    """It announces the answer: "the answer is 3", "correct option: B", {"answer": "red"}."""
    OPTION_MARKED = "option_marked"
    """It marks the right option: "highlight option B", "B. red (correct)", "B is correct"."""
    QUOTED = "quoted"
    """It quotes an answer of four or more words."""


def leak(visual_prompt: str, question: str, answer: str) -> Leak | None:
    """Return how a drawing instruction gives the answer away, or None (CADS, visual prompt).

    An instruction has to name everything that the picture shows, so an answer of a few words in it
    is not a leak: to count three apples, three apples must be drawn, and a question about the
    colour of a door needs a red door. It is a leak if the text treats the value as the answer, in
    one of the ways of `Leak`; even "do not write the answer 3" gives it to the renderer. Case
    (except that of an option's letter) and white space do not matter. A number matches only as a
    whole: 3 is not in 13 or 3.5.

    Args:
        visual_prompt: the drawing instruction, a text or a specification.
        question: the problem's question; its options, if any, give the meaning of the letter.
        answer: the reference; for a multiple-choice question, the letter.
    """
    text = " ".join(visual_prompt.split())
    answer = " ".join(answer.split()).rstrip(".")
    if not text or not answer:
        return None
    choices = options(question)
    meant = choices.get(answer.upper(), "")
    for value in (answer, meant):
        if value and re.search(_ANNOUNCED + _whole(value), text):
            return Leak.ANNOUNCED
    if meant and _option_marked(text, answer.upper(), meant):
        return Leak.OPTION_MARKED
    statement = meant or answer
    if len(statement.split()) < MIN_QUOTED_WORDS or not re.search(_whole(statement), text):
        return None
    all_drawn = all(re.search(_whole(choice), text) for choice in choices.values())
    return None if choices and all_drawn else Leak.QUOTED  # a picture may show all the options


def _option_marked(text: str, letter: str, meant: str) -> bool:
    named = rf"(?<!\w)\(?{letter}\)?[.:)]?(?:\s+(?i:{re.escape(meant)}))?"
    return bool(re.search(named + _TOLD, text) or re.search(rf"{_SHOWN}\(?{letter}(?!\w)", text))


def _whole(value: str) -> str:
    """Return a pattern for a value in any case that is not part of a longer word or number.

    A single letter names an option and keeps its case: "a blank box" does not name option A.
    """
    spelled = re.escape(value) if len(value) == 1 else rf"(?i:{re.escape(value)})"
    return rf"(?<![\w.])(?<!\d,){spelled}(?!\w)(?!\.\d)(?!,\d{{3}})"
