"""Reduction of a writer's answer to the bare answer that a trainer's checker can grade.

EasyR1's checker fails on "6.9V" against 6.9 and on "C. text" against "C", so a bare answer is one
option letter, or has no unit. A unit is removed only if the question names it: otherwise the bare
number would be a guess. The meaning of an answer follows the rules of `equality`, by which the
judges' answers were compared with it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.options import options
from rolesynth_assets.answers.quantities import Quantity, quantity
from rolesynth_assets.answers.spelling import plain
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.problems.drops import Dropped, DropReason

LETTERS = "ABCD"
"""Letters of the options that a CADS problem offers."""

_NUMERAL_START = re.compile(r"[-+.\d\\]")
_MAX_CHARS = 200  # the trainers' checkers refuse longer answers anyway


class Gold(NamedTuple):
    """The bare answer, and the writer's answer in `detail` if it differs."""

    answer: str
    detail: str = ""


def gold_answer(answer: str, task_type: TaskType, question: str) -> Gold | Dropped:
    """Bring a writer's answer into the form that trainers grade (CADS, export).

    Args:
        answer: the answer as the writer gave it.
        task_type: multiple choice gives one letter, anything else a text without a unit.
        question: the question, which names the options and the unit.

    Returns:
        The bare answer, or the reason why there is none.
    """
    if len(answer) > _MAX_CHARS:
        return Gold(answer)
    find = _letter if task_type is TaskType.MCQ else _without_unit
    found = find(answer, question)
    if isinstance(found, Dropped) or found == answer:
        return found if isinstance(found, Dropped) else Gold(found)
    return Gold(found, f"the writer's answer was {answer!r}")


def _letter(answer: str, question: str) -> str | Dropped:
    offered = options(question)
    meant = [
        letter
        for letter in offered
        if letter in LETTERS and equal_by_rule(answer, letter, TaskType.MCQ, question)
    ]
    if len(meant) == 1:
        return meant[0]
    detail = f"the answer {answer!r} means {' or '.join(meant) or 'none'} of {offered}"
    return Dropped(DropReason.NO_OPTION, detail)


def _without_unit(answer: str, question: str) -> str | Dropped:
    text = plain(answer)
    read = quantity(text)
    if read is None or read.percent:
        return text  # both checkers ignore a percent sign
    number = _number(text, read)
    if number is None or not read.unit.name:
        return number or text
    unit = text.replace(number, "", 1).strip()
    if len(unit) == 1 and not read.unit.measured:
        return text  # "3y" is algebra
    if len(unit) == 1:
        # a single letter may be a variable; only "in V" and "(V)" name a unit
        question = re.sub(rf"(?<!\bin )(?<![(\[])\b{re.escape(unit)}\b", " ", question)
    if equal_by_rule(text, number, TaskType.OPEN_ENDED, question):
        return number
    detail = f"the question does not name the unit {unit!r} of the answer {answer!r}"
    return Dropped(DropReason.UNIT_UNNAMED, detail)


def _number(text: str, read: Quantity) -> str | None:
    """Return the part of `text` that spells the number in digits; None if there is none."""
    start = _NUMERAL_START.search(text)
    if start is None:
        return str(read.value)  # "three"
    for end in range(len(text), start.start(), -1):
        part = text[start.start() : end].strip()
        found = quantity(part)
        if found and found.value == read.value and not found.unit.name:
            return part
    return None
