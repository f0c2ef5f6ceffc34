import pytest

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.problems.bare_answer import Gold, gold_answer
from rolesynth_assets.cads.problems.drops import Dropped, DropReason

COLOURS = "Which colour is the ball?\nA. red\nB. blue\nC. green\nD. red or blue"


@pytest.mark.parametrize("answer", ["B", "b", "(B)", "B.", "B. blue", "option B", "blue", "Blue."])
def test_a_multiple_choice_answer_ends_as_one_letter(answer: str) -> None:
    gold = gold_answer(answer, TaskType.MCQ, COLOURS)
    assert isinstance(gold, Gold)
    assert gold.answer == "B"
    assert gold.detail == ("" if answer == "B" else f"the writer's answer was {answer!r}")


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("C. blue", COLOURS),  # letter and text contradict each other
        ("E", COLOURS),
        ("yellow", COLOURS),
        ("B", "Which colour is the ball?"),  # options are missing
        ("2", "Pick one. A. 2 B. 3 C. 2 D. 5"),  # two options say so
    ],
)
def test_an_answer_that_means_no_single_option_is_dropped(answer: str, question: str) -> None:
    dropped = gold_answer(answer, TaskType.MCQ, question)
    assert isinstance(dropped, Dropped)
    assert dropped.reason is DropReason.NO_OPTION
    assert repr(answer) in dropped.detail


@pytest.mark.parametrize(
    ("answer", "question", "bare"),
    [
        ("6.9V", "What is the voltage, in volts?", "6.9"),
        ("6.9 V", "Give the voltage in V.", "6.9"),
        ("12 apples", "How many apples are there?", "12"),
        ("three", "How many apples are there?", "3"),
        ("$5", "What does it cost in dollars?", "5"),
        ("1,200 km", "How many kilometres is it?", "1,200"),
        ("90°", "What is the angle in degrees?", "90"),
        ("-3/4", "What is x?", "-3/4"),
        ("red", "Which colour is it?", "red"),
        ("$2\\sqrt{5}$", "How long is AB?", "2\\sqrt{5}"),
        ("\\boxed{7}", "How many?", "7"),
        ("50%", "Which share is it?", "50%"),
        ("3y", "Simplify the sum in terms of y.", "3y"),
    ],
)
def test_a_named_unit_goes_and_all_else_stays(answer: str, question: str, bare: str) -> None:
    gold = gold_answer(answer, TaskType.OPEN_ENDED, question)
    assert isinstance(gold, Gold)
    assert gold.answer == bare


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("6.9V", "What does the meter show?"),
        ("12 apples", "How many are there?"),
        ("5m", "Express the length in terms of m and k."),  # m may be a variable there
    ],
)
def test_a_unit_that_the_question_does_not_name_is_not_guessed_away(
    answer: str, question: str
) -> None:
    dropped = gold_answer(answer, TaskType.OPEN_ENDED, question)
    assert isinstance(dropped, Dropped)
    assert dropped.reason is DropReason.UNIT_UNNAMED


def test_a_bare_answer_stays_as_it_is() -> None:
    for answer in ("7", "red", "B", "1/2", "\\frac{1}{2}", "x^2", "left of the tree"):
        again = gold_answer(answer, TaskType.OPEN_ENDED, "What is it?")
        assert again == Gold(answer)
