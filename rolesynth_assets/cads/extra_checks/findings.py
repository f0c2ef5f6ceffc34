"""Checks beyond C, because C >= 1 alone lets wrong references through (CADS, known weakness).

Each is reported apart from C and decides nothing by itself. All are pure functions of what is
known about a candidate; none of them reads a seed's archived answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from rolesynth_assets.answers.insufficient import is_insufficient
from rolesynth_assets.answers.options import options
from rolesynth_assets.cads.values import Verdict

if TYPE_CHECKING:
    pass

Equal = Callable[[str, str], bool | None]
"""Whether two answers are equal, or None where that could not be settled."""


_WORD = re.compile(r"\w+(?:\.\d+)?")
_NUMBER = re.compile(r"(?<![\w.])(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,30})(?P<part>\.\d{1,30})?")
_NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()  # "one" is left out: "which one" counts nothing
_SPELLED = {word: Fraction(value) for value, word in enumerate(_NUMBER_WORDS, start=2)}


def text_only_leak(correct: Iterable[bool | None]) -> bool | None:
    """Say whether somebody solved the problem without its image (extra check a).

    A lucky guess looks the same: of three judges who guess among four options one is right more
    often than not, so for multiple-choice problems this check costs good ones too.

    Args:
        correct: of each judge asked without the image, whether its answer equals the reference;
            None where that is not known.

    Returns:
        None when nobody is known to have solved it and one of them is not known, or none was asked.
    """
    known = list(correct)
    if any(known):
        return True
    return None if None in known or not known else False


def suspect_label(answers: Sequence[str | None], reference: str, equal: Equal) -> bool | None:
    """Say whether a majority of judges agrees on one answer that is not the reference (check b).

    Args:
        answers: of all judges, the writer included; None where one gave none. An
            INSUFFICIENT_INFORMATION counts as a judge without an opinion.
        reference: the writer's answer.
        equal: settles equality; what it cannot settle counts as different answers.

    Returns:
        None when there is such an answer but whether it equals the reference could not be settled,
        and when the missing answers could still make a majority.
    """
    groups: list[list[str]] = []
    for answer in answers:
        if answer is None or is_insufficient(answer):
            continue
        home = next((group for group in groups if equal(group[0], answer)), None)
        if home is None:
            groups.append([answer])
        else:
            home.append(answer)
    needed = len(answers) // 2 + 1
    largest = max(groups, key=len, default=[])
    if len(largest) < needed:
        open_still = len(largest) + sum(answer is None for answer in answers) >= needed
        return None if open_still else False
    settled = [equal(reference, answer) for answer in largest]
    if True in settled:
        return False
    return None if None in settled else True


def copied_numbers(question: str, answer: str, seed_problem: str) -> bool:
    """Say whether the problem brings no number of its own but takes all from the seed (check c).

    Options do not count, for they surround the answer with other numbers. A single number in common
    proves nothing, so at least two are needed: in the question, or one there and the answer.

    Args:
        question: the new question.
        answer: the new answer.
        seed_problem: the seed's problem; its archived answer plays no part.
    """
    ours, seeds = _numbers(_stem(question)), _numbers(_stem(seed_problem))
    if not ours or not ours <= seeds:
        return False
    return len(ours) > 1 or bool(_numbers(answer) & seeds - ours)


def consensus_without_writer(verdicts: Sequence[Verdict], writer: str) -> int | None:
    """Return C without the writer's own verdict (check e).

    Args:
        verdicts: of all K judges.
        writer: member that wrote the candidate; if it is no judge, this is C itself.

    Returns:
        None when one of the other verdicts is missing its `correct`, or there is no other.
    """
    others = [verdict.correct for verdict in verdicts if verdict.judge != writer]
    return None if None in others or not others else others.count(True)


def _stem(question: str) -> str:
    end = len(question)
    for text in reversed(options(question).values()):
        end = question.rfind(text, 0, end)
    return question[:end]


def _numbers(text: str) -> set[Fraction]:
    found = {
        Fraction(match["whole"].replace(",", "") + (match["part"] or ""))
        for match in _NUMBER.finditer(text)
    }
    return found | {_SPELLED[word] for word in text.lower().split() if word in _SPELLED}
