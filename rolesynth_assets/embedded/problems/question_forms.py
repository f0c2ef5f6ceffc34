"""The forms of the embedded world's questions, by name and domain, easy forms first.

The scripted writers mention the forms in analyses and contexts, and recognise them by these names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rolesynth_assets.embedded.problems.pose import Domain


@dataclass(frozen=True)
class QuestionForm:
    """One form of question.

    Attributes:
        name: the task that answers it.
        domain: the domain it belongs to.
        pattern: recognises the form of a question.
    """

    name: str
    domain: Domain
    pattern: re.Pattern[str]


def _form(domain: Domain, name: str, pattern: str) -> QuestionForm:
    return QuestionForm(name, domain, re.compile(pattern, re.IGNORECASE))


FORMS = (
    _form(Domain.COUNTING, "saying whether a thing is there", r"Is there an? .+ in the image\?"),
    _form(Domain.COUNTING, "counting all objects", r"How many objects are there\?"),
    _form(Domain.BAR_CHARTS, "counting the bars", r"How many bars are there\?"),
    _form(Domain.ARITHMETIC, "taking one object away", r"How many objects are left "),
    _form(Domain.ARITHMETIC, "counting all but one kind", r"How many objects are not "),
    _form(Domain.ARITHMETIC, "adding two kinds up", r"How many .+ and .+ are there together\?"),
    _form(Domain.ARITHMETIC, "the difference of two kinds", r"How many more .+ than "),
    _form(Domain.COUNTING, "counting one kind", r"How many .+ are there\?"),
    _form(Domain.SPATIAL, "the size of a thing", r"What size is "),
    _form(Domain.SPATIAL, "the place of a thing", r"Where is "),
    _form(Domain.SPATIAL, "which of two things is further left", r"Is the .+ left or right of "),
    _form(Domain.SPATIAL, "which of two things is higher", r"Is the .+ above or below "),
    _form(Domain.BAR_CHARTS, "reading one bar off", r"What is the value of the \w+ bar\?"),
    _form(Domain.BAR_CHARTS, "the tallest bar", r"Which bar is the tallest\?"),
    _form(Domain.BAR_CHARTS, "the shortest bar", r"Which bar is the shortest\?"),
    _form(Domain.BAR_CHARTS, "the difference of two bars", r"How much higher is "),
    _form(Domain.BAR_CHARTS, "the sum of two bars", r"What is the sum of "),
    _form(Domain.EASY_VQA, "naming the shape", r"what shape (?:is|does)\b"),
    _form(Domain.EASY_VQA, "naming the colour", r"what (?:color is|is the color of) the "),
    _form(Domain.EASY_VQA, "the shape of a colour", r"what is the \w+ shape\?"),
    _form(
        Domain.EASY_VQA,
        "saying that a shape is missing",
        r"is there not a |is no .+ present\?|does the image not contain ",
    ),
    _form(
        Domain.EASY_VQA,
        "saying whether a shape is there",
        r"is there a |is a .+ present\?|does the image contain a ",
    ),
)
"""All forms; if two patterns match a question, the first one counts."""

_TALK = (
    (Domain.BAR_CHARTS, r"\b(?:bars?|charts?)\b"),
    (Domain.ARITHMETIC, r"\b(?:more|fewer|sum|together|difference|arithmetic|left over)\b"),
    (Domain.SPATIAL, r"\b(?:where|left|right|above|below|position|size|spatial)\b"),
    (Domain.EASY_VQA, r"\b(?:shapes?|circle|rectangle|triangle)\b"),
)
"""Words by which the description of a task area is assigned to a domain."""


def form_of(question: str) -> QuestionForm | None:
    """Return the form of a question; None for one that is not of the embedded world."""
    asked = question.split("\n", 1)[0].strip()
    return next((form for form in FORMS if form.pattern.match(asked)), None)


def asked_in(text: str) -> QuestionForm | None:
    """Return the form of the first question of the embedded world in a text."""
    return next((form for line in text.splitlines() if (form := form_of(line))), None)


def domain_of(text: str) -> Domain:
    """Return the domain of a seed, which is a question or the description of a task area.

    A text without any known word counts as counting.
    """
    if form := asked_in(text):
        return form.domain
    spoken = (d for d, words in _TALK if re.search(words, text, re.IGNORECASE))
    return next(spoken, Domain.COUNTING)


def forms_named(text: str) -> list[QuestionForm]:
    """Return the forms whose names stand in a text."""
    return [form for form in FORMS if form.name in text]
