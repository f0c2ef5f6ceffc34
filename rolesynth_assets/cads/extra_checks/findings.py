"""Extra checks beyond C, because C >= 1 alone accepts wrong references (CADS, known weakness).

Each is reported separately from C and decides nothing by itself; `ProblemRules` of the settings
say which findings drop a problem. All are pure functions of a candidate's facts; none of them reads
a seed's archived answer. `FINDINGS` lists those that find or do not find something: a new one is a
row there and a column of the table ``candidates``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rolesynth_assets.cads.values import Problem, Verdict

Equal = Callable[[str, str], bool | None]
"""Returns whether two answers are equal, or None if that could not be decided."""


_WORD = re.compile(r"\w+(?:\.\d+)?")
_NUMBER = re.compile(r"(?<![\w.])(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,30})(?P<part>\.\d{1,30})?")
_NUMBER_WORDS = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
).split()  # "one" is left out: in "which one" it is not a number
_SPELLED = {word: Fraction(value) for value, word in enumerate(_NUMBER_WORDS, start=2)}

DUPLICATES = "duplicates"
"""Name of check d, which compares a round's candidates with each other and with earlier rounds."""
EXCLUDE_WRITER = "exclude_writer"
"""Name of check e, which gives a number and not a finding."""


@dataclass(frozen=True)
class JudgedCandidate:
    """What the extra checks read of a candidate.

    Attributes:
        problem: the written problem.
        seed_problem: the problem of its seed, without the archived answer.
        verdicts: the K verdicts on it.
        blind: verdicts given without the image; empty if nobody was asked.
    """

    problem: Problem
    seed_problem: str
    verdicts: Sequence[Verdict]
    blind: Sequence[Verdict] = ()


@dataclass(frozen=True)
class Finding:
    """An extra check that finds something or nothing, or cannot say (None).

    Attributes:
        meaning: what a finding means, in words.
        find: the check.
        needs_blind: whether the judges answer once more without the image. Only kept candidates
            are asked so: if no judge solves a candidate with the image, the check reveals nothing,
            and it costs as many calls as judging.
    """

    meaning: str
    find: Callable[[JudgedCandidate], bool | None]
    needs_blind: bool = False


def text_only_leak(correct: Iterable[bool | None]) -> bool | None:
    """Return whether a judge solved the problem without its image (extra check a).

    A lucky guess looks the same: if three judges guess among four options, at least one of them is
    right more often than not, so for multiple-choice problems this check also drops good ones.

    Args:
        correct: whether the answer equals the reference, for each judge asked without the image;
            None if that is not known.

    Returns:
        None if no judge is known to have solved it and the result of one is not known, or if no
        judge was asked.
    """
    known = list(correct)
    if any(known):
        return True
    return None if None in known or not known else False


def suspect_label(answers: Sequence[str | None], reference: str, equal: Equal) -> bool | None:
    """Return whether a majority of judges agrees on one answer that is not the reference (check b).

    Args:
        answers: answers of all judges, the writer included; None for a judge that gave none. An
            INSUFFICIENT_INFORMATION counts as a judge without an opinion.
        reference: the writer's answer.
        equal: decides equality; answers for which it returns None count as different.

    Returns:
        None if there is such an answer but its equality with the reference could not be decided, or
        if the missing answers could still make a majority.
    """
    from rolesynth_assets.answers.insufficient import is_insufficient

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
    """Return whether all numbers of the problem are taken from the seed (check c).

    The numbers of the options do not count, because options surround the answer with other numbers.
    A single common number proves nothing, so at least two are needed: two in the question, or one
    in the question and the answer.

    Args:
        question: the new question.
        answer: the new answer.
        seed_problem: the seed's problem; its archived answer is not used.
    """
    ours, seeds = _numbers(_stem(question)), _numbers(_stem(seed_problem))
    if not ours or not ours <= seeds:
        return False
    return len(ours) > 1 or bool(_numbers(answer) & seeds - ours)


def consensus_without_writer(verdicts: Sequence[Verdict], writer: str) -> int | None:
    """Return C without the writer's own verdict (check e).

    Args:
        verdicts: verdicts of all K judges.
        writer: member that wrote the candidate; if it is not a judge, the result is C itself.

    Returns:
        None if `correct` of another verdict is None, or if there is no other verdict.
    """
    others = [verdict.correct for verdict in verdicts if verdict.judge != writer]
    return None if None in others or not others else others.count(True)


def _stem(question: str) -> str:
    from rolesynth_assets.answers.options import options

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


def _suspect_label(judged: JudgedCandidate) -> bool | None:
    from rolesynth_assets.answers.equality import equal_by_rule

    problem = judged.problem
    return suspect_label(
        [verdict.answer for verdict in judged.verdicts],
        problem.answer,
        lambda one, other: equal_by_rule(one, other, problem.task_type, problem.question),
    )


FINDINGS: Mapping[str, Finding] = {
    "text_only_leak": Finding(
        "a judge reaches the answer without the image",
        lambda judged: text_only_leak(verdict.correct for verdict in judged.blind),
        needs_blind=True,
    ),
    "suspect_label": Finding(
        "a majority of judges agrees on an answer that is not the reference", _suspect_label
    ),
    "copied_numbers": Finding(
        "the numbers are those of the seed",
        lambda judged: copied_numbers(
            judged.problem.question, judged.problem.answer, judged.seed_problem
        ),
    ),
}
"""Every check with a finding, by its name: the switch of a collective, the column of
``candidates``, and the reason for which a problem can be dropped."""
