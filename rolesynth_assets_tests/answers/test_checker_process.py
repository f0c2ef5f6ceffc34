import sys
from collections.abc import Iterator

import pytest

from rolesynth_assets.answers.checker_process import AnswerGrader, GradingError
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold

OPEN = TaskType.OPEN_ENDED
ENDLESS = "9**9**9**9"  # mathruler writes the number out to hold a wrong reply against it


@pytest.fixture(scope="module")
def grader() -> Iterator[AnswerGrader]:
    with AnswerGrader() as made:
        yield made


def test_the_process_grades_as_the_function_does(grader: AnswerGrader) -> None:
    for answer in ("7", "left", "2\\sqrt{5}", "none", "2\\sqrt{5", "ß\u2028"):
        for checker in Checker:
            assert grader.gold(answer, OPEN, checker) == trainer_gold(answer, OPEN, checker)


def test_an_answer_without_end_is_ungradable_and_the_next_one_is_graded() -> None:
    with AnswerGrader(limit_s=1.0) as hurried:
        assert hurried.gold(ENDLESS, OPEN, Checker.MATHRULER) is None
        assert hurried.gold(ENDLESS, OPEN, Checker.MATHRULER) is None  # remembered, not tried again
        assert hurried._process is None
        assert hurried.gold("41", OPEN, Checker.MATHRULER) == "41"


def test_a_process_that_was_killed_from_outside_costs_no_answer(grader: AnswerGrader) -> None:
    assert grader.gold("42", OPEN, Checker.MATHRULER) == "42"
    child = grader._process
    assert child is not None
    child.kill()
    child.wait()
    assert grader.gold("43", OPEN, Checker.MATHRULER) == "43"
    assert grader._process is not child


def test_the_process_ends_with_the_block() -> None:
    with AnswerGrader() as grader:
        assert grader.gold("7", OPEN, Checker.MATH_VERIFY) == "$7$"
        child = grader._process
        assert child is not None and child.poll() is None
    assert child.poll() is not None


def test_a_process_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with AnswerGrader() as grader, pytest.raises(GradingError, match="ended with code 1"):
        grader.gold("7", OPEN, Checker.MATH_VERIFY)
