from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.answers import expressions
from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.insufficient import INSUFFICIENT
from rolesynth_assets.answers.spelling import plain
from rolesynth_assets.answers.task_type import TaskType

LINES = "Which one?\nA. 5\nB. 6\nC. a red ball\nD. 1/2"
ONE_LINE = "Which one? (A) 5 (B) 6 (C) a red ball (D) 1/2"


def open_answer(reference: str, prediction: str, question: str = "") -> bool | None:
    forth = equal_by_rule(reference, prediction, TaskType.OPEN_ENDED, question)
    back = equal_by_rule(prediction, reference, TaskType.OPEN_ENDED, question)
    assert forth is back
    return forth


def choice(reference: str, prediction: str, question: str = LINES) -> bool | None:
    return equal_by_rule(reference, prediction, TaskType.MCQ, question)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Red", " red. "),
        ("the red ball", "Red ball"),
        ("The answer is red.", "red"),
        ("**red**", "`red`"),
        ("$red$", r"\text{red}"),
        (r"\boxed{red}", "red!"),
        ("top-left", "top left"),
        ("gray", "grey"),
        ("(2,3)", "( 2, 3 )"),
        ("yes", "Yes, the ball is red."),
        ("True", "yes"),
        ("5", "five"),
        ("0", "zero"),
        ("1,234,567", "1234567"),
        ("-3", "\u22123"),
        ("3/4", "0.75"),
        ("1\u00bd", "1.5"),
        ("1 1/2", r"\frac{3}{2}"),
        (r"$\frac{3}{4}$", ".75"),
        ("1.5 \u00d7 10^3", "1500"),
        ("1.5e-3", "0.0015"),
        ("0.3333333", "1/3"),
        ("50%", "0.5"),
        ("50 %", r"50\%"),
        ("12 m\u00b2", "12 m^2"),
        ("6.9 V", "6.9 volts"),
        ("three apples", "3 apples"),
        ("45\u00b0", "45 degrees"),
        ("$5", "5 dollars"),
        ("x=5", "x = 5"),
        ("5 million", "5000000"),
        ("1.5 million", "1,500,000"),
        ("one hundred", "100"),
        ("3.2 billion", r"3.2 \times 10^9"),
        ("thirty-five", "35"),
        ("forty two", "42"),
        (r"5\,000", "5000"),
        ("5\u202f000", "5000"),
        (r"5\,\mathrm{cm}", "5 cm"),
        (r"5\,\mathrm{m\,s^{-1}}", "5 m/s"),
        (r"\infty", "\u221e"),
    ],
)
def test_equal_however_it_is_written(one, other):
    assert open_answer(one, other) is True


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5", "6"),
        ("five", "6"),
        ("1000000", "1000001"),  # whole numbers know no tolerance
        ("0.5", "0.51"),
        ("1/3", "0.33"),
        ("-3", "3"),
        ("yes", "no"),
        ("Yes, it is.", "false"),
        ("red", "blue"),
        ("dog", "cat"),
        ("P", "Q"),
        ("top left", "bottom right"),
        ("7", "red"),
        ("3 apples", "4"),
        ("50%", "60%"),
        ("twenty-one", "20"),
        ("5 million", "5 billion"),
        ("2019/2020", "2020/2021"),  # fractions know no tolerance either
        (r"\frac{2019}{2020}", "2020/2021"),
    ],
)
def test_clearly_different(one, other):
    assert open_answer(one, other) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the ball rolls to the left", "leftwards"),
        ("circle", "circles"),
        ("rolls", "rolling"),
        ("triangel", "triangle"),
        ("left", "top left"),
        ("3 m", "300 cm"),
        ("5 cm", "5 m"),
        ("3", "3 apples"),
        ("50%", "50"),
        ("two thirds", "2"),
        ("5 or 6", "5"),
        ("2, 3", "3, 2"),
        ("Co", "CO"),
        ("NaCl", "ClNa"),
        ("5:30", "5.30"),
        ("2020-01-02", "2017"),
        ("yes", "yes, no, yes"),
        ("5", "5!"),
        ("P", "point P"),
    ],
)
def test_rules_cannot_tell(one, other):
    assert open_answer(one, other) is None


def test_the_question_may_name_the_unit():
    assert open_answer("6.9", "6.9V") is None
    assert open_answer("6.9", "6.9V", "What is the voltage in volts?") is True
    assert open_answer("6.9", "7.1 V", "What is the voltage, in V?") is False
    assert open_answer("3", "3 apples", "How many apples are there?") is True
    assert open_answer("50", "50%", "What percentage is red?") is True
    assert open_answer("50", "40%", "What percentage is red?") is False
    assert open_answer("0.5", "50%", "What percentage is red?") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (r"2\sqrt{5}", r"\sqrt{20}", True),
        ("2*sqrt(5)", "\u221a20", True),
        (r"$2\pi$", "2\u03c0", True),
        ("2x+1", "1+2x", True),
        ("x=5", "5", True),
        (r"\sqrt{5}", r"\sqrt{6}", False),
        (r"\pi/2", "1.5707963", True),
        ("x+1", "x+2", None),
        ("2x=6", "6", None),
        ("y=2x", "2x", True),
        ("x=5", "y=5", None),
        ("H_2O", "H_{2}O", None),
    ],
)
def test_expressions(one, other, same):
    assert open_answer(one, other) is same


def test_mathematics_without_end_is_ended(monkeypatch):
    assert expressions.same_expression("2+2", "4") is True  # the worker runs
    monkeypatch.setattr(expressions, "SECONDS", 0.2)
    assert expressions.same_expression("9^{9^{9}}", "3") is None  # not even asked
    assert expressions._compared("9^{9^{9}}", "3") is None
    monkeypatch.undo()
    assert expressions.same_expression("2+3", "5") is True  # and another one runs


@pytest.mark.parametrize("question", [LINES, ONE_LINE])
@pytest.mark.parametrize(
    "said",
    ["C", "c", "(c)", "C.", "C)", "**C**", "Option C", "The answer is (C).", "C. a red ball"],
)
def test_an_option_by_its_letter(question, said):
    assert choice("C", said, question) is True
    assert choice("B", said, question) is False


@pytest.mark.parametrize("question", [LINES, ONE_LINE])
def test_an_option_by_its_text(question):
    assert choice("C", "the red ball", question) is True
    assert choice("A", "five", question) is True
    assert choice("D", "0.5", question) is True
    assert choice("A", "6", question) is False
    assert choice("a red ball", "C", question) is True


def test_an_option_that_contradicts_itself_is_not_settled():
    assert choice("C", "C. 5") is None
    assert choice("C", "B and C") is None
    assert choice("C", "something round") is None


def test_what_is_not_offered_is_wrong():
    assert choice("C", "E") is False
    numbers = "How many?\nA. 1\nB. 2\nC. 3\nD. 4"
    assert choice("C", "9", numbers) is False


def test_a_letter_counts_without_options_too():
    assert choice("C", "c.", "no options here") is True
    assert choice("C", "D", "no options here") is False


def test_not_to_know_is_wrong():
    for said in (INSUFFICIENT, "Insufficient information.", "insufficient_information"):
        assert equal_by_rule("4", said, TaskType.OPEN_ENDED, "") is False
        assert choice("C", said) is False


def test_nothing_said_is_not_wrong():
    assert open_answer("4", "  ") is None


@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_an_answer_equals_itself(text):
    if plain(text).upper().replace(" ", "_") != INSUFFICIENT:
        assert equal_by_rule(text, f" {text}\n", TaskType.OPEN_ENDED, "") is True
        assert equal_by_rule(text, text, TaskType.MCQ, LINES) is True


@given(st.text(max_size=40), st.text(max_size=40))
def test_order_does_not_matter(one, other):
    open_answer(one, other)


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_whole_numbers_are_compared_exactly(one, other):
    assert open_answer(f"{one:,}", str(other)) is (one == other)
    assert open_answer(f"{one:,}", f"The answer is {one}.") is True


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_fraction_equals_its_decimal(top, bottom):
    assert open_answer(f"{top}/{bottom}", f"{top / bottom:.12e}") is True
    assert open_answer(f"{top}/{bottom}", f"{top / bottom * 1.00001:.12e}") is False


@given(st.sampled_from("ABCD"), st.sampled_from("ABCD"), st.permutations(["2", "dog", "x", "9.5"]))
def test_letters_and_texts_of_options_agree(one, other, texts):
    lines = (f"{letter}. {text}" for letter, text in zip("ABCD", texts, strict=True))
    question = "Which?\n" + "\n".join(lines)
    assert choice(one, other, question) is (one == other)
    assert choice(one, f"{other}. {texts['ABCD'.index(other)]}", question) is (one == other)
    assert choice(one, texts["ABCD".index(one)], question) is True


@pytest.mark.parametrize(
    "question",
    [
        "3 sig figs",
        "Use 2 sig. figs.",
        "\u0441 точностью до сотых",
        "Округлите до сотых",
        "arredonde",
        "arrotonda",
        "correct to the second digit after the point",
        "Rond af of afronden: afgerond op twee cijfers",
        "zaokrąglij",
        "deux chiffres",
    ],
)
def test_rounding_in_other_words_is_left_to_a_model(question: str) -> None:
    assert equal_by_rule("0.33", "1/3", TaskType.OPEN_ENDED, question) is None
    assert equal_by_rule("0.53", "1/3", TaskType.OPEN_ENDED, question) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("{1,2}", "(2,1)"), ("(1,2)", "{2,1}"), ("[1,2]", "{2,1}"), ("2x3", "3x2")),
        *(("2 \\times 3", "3 \\times 2"), ("3\u00d74", "4\u00d73"), ("\\{1, 2\\}", "(2, 1)")),
        *(("<B>", "5"), ("...", "5"), ("\\boxed{}", "5"), ("\\text{}", "5"), ("**", "7")),
    ],
)
def test_what_no_rule_can_settle(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        assert equal_by_rule(first, second, TaskType.OPEN_ENDED, "") is None


def test_sizes_and_points_that_are_equal() -> None:
    for one, other in (("2x3", "2 x 3"), ("(1,2)", "(1, 2)"), ("2 \\times 3", "2\\times 3")):
        assert equal_by_rule(one, other, TaskType.OPEN_ENDED, "") is True
