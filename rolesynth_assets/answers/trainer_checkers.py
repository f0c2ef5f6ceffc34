r"""Tests of whether a trainer's own checker can grade an answer (CADS, export).

Grading an answer against itself finds answers that a checker cannot read. It does not find answers
for which a checker accepts other replies too: mathruler reads a reply without a box as "None", so a
gold "none" would reward a missing answer, and math-verify reads "2\sqrt{5}" as 2 unless it is
between dollar signs. A reply that boxes the answer must therefore be right, and a few other replies
must be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from rolesynth_assets.answers.task_type import TaskType

MAX_CHARS = 100
"""Most characters of an answer; a longer one is not a short answer and takes checkers too long."""

_OPTION_LETTERS = "ABCD"
# two primes, since hardly any answer has both; mathruler uses algebra only to compare fractions
_WRONG_NUMBERS = (("7919", "7919.5"), ("6007", "6007.5"))
_WORDS = re.compile(r"[^\W\d_]{2,}(?:[ '-][^\W\d_]+)*")
_SPACED_MARKS = re.compile(r"\s*([<>/])\s*")


class Checker(StrEnum):
    """A trainer's checker of answers."""

    MATHRULER = "mathruler"
    """The checker of EasyR1."""
    MATH_VERIFY = "math-verify"
    """The checker of TRL's accuracy reward."""


def trainer_gold(answer: str, task_type: TaskType, checker: Checker) -> str | None:
    """Spell an answer so that `checker` accepts it and rejects wrong replies.

    Bounded in length only: symbolic algebra can run for ever on a short answer. Use
    `checker_process.AnswerGrader` on answers that nobody has looked at.

    Args:
        answer: the bare answer, as `bare_answer.gold_answer` returns it.
        task_type: decides which wrong replies are tried.
        checker: decides the spelling; math-verify needs dollar signs around the answer.

    Returns:
        The gold text to export; None if there is no such spelling.
    """
    if len(answer) > MAX_CHARS or not answer.isprintable() or "$" in answer:
        return None
    if not any(map(str.isalnum, answer)):
        return None  # "?" and "..." are not answers, although every checker accepts them
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
            # a checker that raises on an answer would also end a training run
            continue
    return None


def is_right(completion: str, gold: str, checker: Checker) -> bool:
    r"""Grade a whole completion as the trainer does.

    Args:
        completion: the completion, with its answer in ``\boxed{}``.
        gold: the gold text in the checker's spelling.
        checker: mathruler as EasyR1's reward function ``math`` calls it, or math-verify as
            ``trl.rewards.accuracy_reward`` does.
    """
    if checker is Checker.MATHRULER:
        from mathruler.grader import extract_boxed_content, grade_answer

        # EasyR1 removes the spaces around these marks from a completion, because of the tags
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
    """Return answers that are certainly wrong."""
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
