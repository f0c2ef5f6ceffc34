r"""Whether a trainer's own checker can grade an answer (CADS, export).

Grading an answer against itself finds what a checker cannot read. It does not find a checker that
takes anything: mathruler reads a reply without a box as "None", so a gold "none" would pay for
silence, and math-verify reads "2\sqrt{5}" as 2 unless it stands between dollars. So the reply
that boxes the answer has to be right and a few replies that do not have to be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from rolesynth_assets.answers.task_type import TaskType

MAX_CHARS = 100
"""Characters of an answer; a longer one is no shortest answer, and costs checkers their time."""

_OPTION_LETTERS = "ABCD"
# two primes: hardly an answer holds both; mathruler works algebra out against fractions only
_WRONG_NUMBERS = (("7919", "7919.5"), ("6007", "6007.5"))
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[ '-][^\W\d_]+)*")
_SPACED_MARKS = re.compile(r"\s*([<>/])\s*")


class Checker(StrEnum):
    """A trainer's checker of answers."""

    MATHRULER = "mathruler"
    """EasyR1's."""
    MATH_VERIFY = "math-verify"
    """Of TRL's accuracy reward."""


def trainer_gold(answer: str, task_type: TaskType, checker: Checker) -> str | None:
    """Spell an answer so that `checker` accepts it, and accepts nothing that it should not.

    Bounded in length only: symbolic algebra can run for ever on a short answer. Use
    `checker_process.AnswerGrader` on answers that nobody has looked at.

    Args:
        answer: bare, as `gold.gold_answer` returns it.
        task_type: decides which wrong replies are tried.
        checker: whose spelling: math-verify wants dollars around it.

    Returns:
        The gold text to export; None when there is no such spelling.
    """
    if len(answer) > MAX_CHARS or not answer.isprintable() or "$" in answer:
        return None
    if not any(map(str.isalnum, answer)):
        return None  # "?" and "..." are no answers, though every checker takes them for themselves
    right = _boxed(answer)
    wrong = [_boxed(other) for other in _others(answer, task_type)]
    wrong.append("<think>Nothing to see.</think>\nI do not know.")
    for gold in _spellings(answer, task_type, checker):
        try:
            if is_right(right, gold, checker) and not any(
                is_right(reply, gold, checker) for reply in wrong
            ):
                return gold
        except Exception:
            # a checker that raises on an answer here would end a training run there
            continue
    return None


def is_right(completion: str, gold: str, checker: Checker) -> bool:
    r"""Grade a whole completion as the trainer does.

    Args:
        completion: with its answer in ``\boxed{}``.
        gold: in the checker's spelling.
        checker: mathruler as EasyR1's reward function ``math`` calls it, or math-verify as
            ``trl.rewards.accuracy_reward`` does.
    """
    if checker is Checker.MATHRULER:
        from mathruler.grader import extract_boxed_content, grade_answer

        # EasyR1 takes the spaces around these marks out of a completion, for the tags' sake
        return grade_answer(extract_boxed_content(_SPACED_MARKS.sub(r"\1", completion)), gold)
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    expected = parse(gold)
    if not expected:
        return False
    found = parse(
        completion,
        extraction_config=[
            LatexExtractionConfig(
                normalization_config=NormalizationConfig(units=True),
                boxed_match_priority=0,
                try_extract_without_anchor=False,
            )
        ],
        extraction_mode="first_match",
    )
    return verify(expected, found)


def _boxed(answer: str) -> str:
    return f"<think>It can be seen.</think>\n\\boxed{{{answer}}}"


def _others(answer: str, task_type: TaskType) -> list[str]:
    """Answers that are certainly wrong."""
    if task_type is TaskType.MCQ:
        return [letter for letter in _OPTION_LETTERS if letter != answer]
    digits = re.sub(r"\D", "", answer)
    return next((list(pair) for pair in _WRONG_NUMBERS if pair[0] not in digits), [])


def _spellings(answer: str, task_type: TaskType, checker: Checker) -> Iterator[str]:
    if checker is Checker.MATHRULER:
        yield answer
        return
    if task_type is not TaskType.MCQ and _WORDS.fullmatch(answer):
        # between dollars alone a word is a product of letters, and "felt" equals "left"
        yield rf"$\text{{{answer}}}$"
    yield f"${answer}$"
