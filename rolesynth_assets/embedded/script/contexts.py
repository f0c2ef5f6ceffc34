"""The contexts of the scripted members: how they are written and how they are read back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rolesynth_assets.embedded.problems.question_forms import FORMS, QuestionForm, forms_named

_LINES = {
    "build_on": "Build on: ",
    "worn_out": "Worn out: ",
    "fuller": "Pictures: as full as they can be.",
    "options": "Options: offer some that lie close to the right one.",
    "recheck": "Avoid: references that most judges contradict; look at your picture once more.",
}

_FLAGS = ("fuller", "options", "recheck")


@dataclass(frozen=True)
class Advice:
    """The advice that a context gives to a scripted writer.

    Attributes:
        build_on: forms that divided the judges.
        worn_out: forms that are easier than those.
        fuller: whether pictures with many things divided the judges.
        options: whether options divided the judges.
        recheck: whether a reference looked wrong.
    """

    build_on: frozenset[QuestionForm] = frozenset()
    worn_out: frozenset[QuestionForm] = frozenset()
    fuller: bool = False
    options: bool = False
    recheck: bool = False

    @property
    def text(self) -> str:
        """The context; `read_advice` reads it back."""
        lines = [_LINES["build_on"] + _names(self.build_on)] if self.build_on else []
        lines += [_LINES["worn_out"] + _names(self.worn_out)] if self.worn_out else []
        lines += [_LINES[flag] for flag in _FLAGS if getattr(self, flag)]
        return "\n".join(lines)

    def __or__(self, newer: Advice) -> Advice:
        """Add newer advice; a form that it builds on is no longer worn out."""
        build_on = self.build_on | newer.build_on
        return Advice(
            build_on,
            (self.worn_out | newer.worn_out) - build_on,
            self.fuller or newer.fuller,
            self.options or newer.options,
            newer.recheck,
        )


def read_advice(text: str) -> Advice:
    """Read a context; in one that another model wrote, every named form is built on."""
    build_on, worn_out = (
        frozenset(forms_named(" ".join(re.findall(f"^{_LINES[field]}(.*)$", text, re.M))))
        for field in ("build_on", "worn_out")
    )
    fuller, options, recheck = (_LINES[flag] in text for flag in _FLAGS)
    if not build_on and not worn_out:
        build_on = frozenset(forms_named(text))
    return Advice(build_on, worn_out, fuller, options, recheck)


def easier_than(forms: Iterable[QuestionForm]) -> frozenset[QuestionForm]:
    """Return the forms that come before all of `forms` that are of the same domain."""
    found: set[QuestionForm] = set()
    wanted = set(forms)
    for domain in {form.domain for form in wanted}:
        listed = [form for form in FORMS if form.domain is domain]
        first = next(place for place, form in enumerate(listed) if form in wanted)
        found.update(listed[:first])
    return frozenset(found)


def _names(forms: frozenset[QuestionForm]) -> str:
    return "; ".join(form.name for form in FORMS if form in forms)
