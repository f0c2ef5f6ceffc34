import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import (
    MAX_CHARS,
    Checker,
    is_right,
    trainer_gold,
)
from rolesynth_assets_tests.property_profiles import examples

MCQ, OPEN = TaskType.MCQ, TaskType.OPEN_ENDED
BOTH = list(Checker)


@pytest.mark.parametrize("checker", BOTH)
@pytest.mark.parametrize(
    "answer",
    [
        *("7", "-3", "6.9", "1/2", "\\frac{1}{2}", "2\\sqrt{5}", "1,200", "50%", "x^2+1", "H2O"),
        *("red", "yes", "red ball", "triangle", "to the left of the tree", "north-east"),
    ],
)
def test_short_answers_are_gradable(answer: str, checker: Checker) -> None:
    assert trainer_gold(answer, OPEN, checker) is not None


@pytest.mark.parametrize("checker", BOTH)
@pytest.mark.parametrize("letter", "ABCD")
def test_a_letter_is_gradable_and_no_other_letter_passes_for_it(
    letter: str, checker: Checker
) -> None:
    gold = trainer_gold(letter, MCQ, checker)
    assert gold is not None
    right = [other for other in "ABCD" if is_right(f"\\boxed{{{other}}}", gold, checker)]
    assert right == [letter]


@pytest.mark.parametrize(
    ("answer", "checker"),
    [
        ("", Checker.MATHRULER),
        ("2\\sqrt{5", Checker.MATHRULER),  # its box never closes
        ("2\\sqrt{5", Checker.MATH_VERIFY),
        ("none", Checker.MATHRULER),  # what mathruler reads where there is no box
        ("7\n8", Checker.MATHRULER),
        ("9" * (MAX_CHARS + 1), Checker.MATHRULER),
        ("7$", Checker.MATH_VERIFY),
        ("?", Checker.MATHRULER),
    ],
)
def test_what_a_checker_cannot_grade_is_refused(answer: str, checker: Checker) -> None:
    assert trainer_gold(answer, OPEN, checker) is None


def test_the_known_traps_of_both_checkers_are_real() -> None:
    """If one of these stops failing, the bare answers of `gold` can be loosened."""
    assert not is_right("\\boxed{6.9V}", "6.9", Checker.MATHRULER)
    assert not is_right("\\boxed{C. text}", "C", Checker.MATHRULER)
    assert not is_right("\\boxed{C}", "C", Checker.MATH_VERIFY)  # gold without dollars
    assert not is_right("\\boxed{2\\sqrt{5}}", "2\\sqrt{5}", Checker.MATH_VERIFY)
    assert is_right("no box at all", "none", Checker.MATHRULER)
    assert is_right("\\boxed{felt}", "$left$", Checker.MATH_VERIFY)  # letters as factors


def test_a_word_is_no_product_of_its_letters() -> None:
    gold = trainer_gold("left", OPEN, Checker.MATH_VERIFY)
    assert gold == "$\\text{left}$"
    assert is_right("\\boxed{left}", gold, Checker.MATH_VERIFY)
    assert not is_right("\\boxed{felt}", gold, Checker.MATH_VERIFY)


def test_math_verify_is_called_as_trl_calls_it() -> None:
    from trl.rewards.accuracy_rewards import accuracy_reward

    said = ["7", "8", "left", "felt", "C", "2\\sqrt{5}", "\\sqrt{20}", "1/2", "0.5", "5 cm", "50%"]
    golds = ["$7$", "$C$", "$2\\sqrt{5}$", "$\\text{left}$", "$\\frac{1}{2}$", "$5$", "$50$"]
    pairs = [(f"<think>So.</think>\n\\boxed{{{reply}}}", gold) for reply in said for gold in golds]
    pairs += [("It is 7.", "$7$"), ("It is $7$.", "$7$")]
    theirs = accuracy_reward(
        [[{"role": "assistant", "content": reply}] for reply, _ in pairs],
        [gold for _, gold in pairs],
    )
    ours = [float(is_right(reply, gold, Checker.MATH_VERIFY)) for reply, gold in pairs]
    assert ours == theirs
    assert 0 < sum(ours) < len(ours)


@examples(60)
@given(st.integers(-(10**8), 10**8), st.integers(0, 3))
def test_every_number_is_gradable_and_its_neighbour_is_another(number: int, places: int) -> None:
    answer, neighbour = (f"{value / 10**places:.{places}f}" for value in (number, number + 1))
    for checker in BOTH:
        gold = trainer_gold(answer, OPEN, checker)
        assert gold is not None
        assert is_right(f"\\boxed{{{answer}}}", gold, checker)
        assert not is_right(f"\\boxed{{{neighbour}}}", gold, checker)


@examples(60)
@given(st.text(alphabet="abcxyz0123 {}\\$^_+-/().,%", max_size=12))
def test_an_exported_gold_always_pays_for_its_own_answer(answer: str) -> None:
    for checker in BOTH:
        gold = trainer_gold(answer, OPEN, checker)
        if gold is not None:
            assert is_right(f"<think>a</think>\\boxed{{{answer}}}", gold, checker)
            assert not is_right("I do not know.", gold, checker)
