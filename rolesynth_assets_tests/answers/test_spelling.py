"""One answer in the spellings of models, people and publishers."""

# ruff: noqa: RUF001
from __future__ import annotations

import pytest

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.options import options
from rolesynth_assets.answers.spelling import plain
from rolesynth_assets.answers.task_type import TaskType

FORCES = "Which?\nA. 5 kN\nB. 9 kN\nC. 7 kN\nD. 11 kN"
ALL_B = r"""
B|(B)|\text{(B)}|(B)9 kN|(B) 9 kN|B.9 kN|B. 9 kN|**B**|**B. 9 kN**|**(B)** 9 kN|- B|- B. 9 kN
* B. 9 kN|• B. 9 kN|Ｂ|（Ｂ）|（B）|B．|Ｂ．9 kN|B、9 kN|B。|【B】|\(B\)|\[B\]|\(\text{B}\)|$B$
\textbf{(B)}\ 9\text{ kN}|\boxed{\text{B}}|\mathrm{B}|\textbf{B}|B: 9 kN|B) 9 kN|B - 9 kN|B – 9 kN
B = 9 kN|9 kN|9kN|Option B|Answer: B|答案：B|答案是B。|选B|故选B|正解はB|B is correct|[B]|_B_|*B*
<answer>B</answer>|__B__|{B}|the answer is \text{(B)}.|\text{B. }9\text{ kN}|`B`|"B"|b|(b)|$$B$$
\mathbf{(B)}|{\bf B}|\fbox{B}|The correct option is B.|B.9kN|B）9 kN|**B.** 9 kN
"""


@pytest.mark.parametrize("answer", ALL_B.replace("\n", "|").strip("|").split("|"))
def test_an_option_in_any_spelling(answer: str) -> None:
    assert equal_by_rule("B", answer, TaskType.MCQ, FORCES) is True
    assert equal_by_rule("C", answer, TaskType.MCQ, FORCES) is False


TWO = [
    "B, C",
    "B,C",
    "B\u3001C",
    "(B)(C)",
    "(B) (C)",
    "B. C",
    "B.C",
    "B: C",
    "B. C. D",
    "B/C",
    "BC",
]


@pytest.mark.parametrize("answer", ["B. 5 kN", "A and B", "A.M.", "e.g.", "either", "B or C", *TWO])
def test_what_is_no_single_option_is_not_right(answer: str) -> None:
    assert equal_by_rule("B", answer, TaskType.MCQ, FORCES) is not True


@pytest.mark.parametrize(
    "question",
    [
        "Which?\n- A. 5\n- B. 6\n- C. 7",
        "Which?\n* (A) 5\n* (B) 6\n* (C) 7",
        "Which?\n• A: 5\n• B: 6\n• C: 7",
        "Which?\n**A.** 5\n**B.** 6\n**C.** 7",
        "Which?\n**(A)** 5\n**(B)** 6\n**(C)** 7",
        "Which?\nA.5\nB.6\nC.7",
        "Which? A.5 B.6 C.7",
        "Which? (A)5 (B)6 (C)7",
        "Which?\n[A] 5\n[B] 6\n[C] 7",
        "哪个？\nＡ．5\nＢ．6\nＣ．7",
        "哪个？\nA、5\nB、6\nC、7",
        "哪个？（A）5 （B）6 （C）7",
        r"$\textbf{(A) }5\qquad\textbf{(B) }6\qquad\textbf{(C) }7$",
    ],
)
def test_options_of_a_question_in_any_spelling(question: str) -> None:
    assert list(options(question).values()) == ["5", "6", "7"]
    assert equal_by_rule("B", "6", TaskType.MCQ, question) is True
    assert equal_by_rule("B", "7", TaskType.MCQ, question) is False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("10^3", "1000"),
        ("10³", "1,000"),
        ("2^{10}", "1024"),
        ("10**3", "1000"),
        ("10^{-3}", "0.001"),
        ("10⁻³", "0.001"),
        ("1.5·10^3", "1500"),
        (r"1.5\cdot10^{3}", "1500"),
        ("10¹²", "1000000000000"),
        ("10^3 m", "1000 m"),
        (r"\(\frac{1}{2}\)", "0.5"),
        (r"\[5\]", "5"),
        ("$$5$$", "5"),
        ("5。", "5"),
        ("５", "5"),
        ("答案：5", "5"),
        ("红色。", "红色"),
        ("（2，3）", "(2,3)"),
        ("<answer>5</answer>", "5"),
        (r"\$5", "5 dollars"),
        (r"\text{5}", "5"),
        ("{5}", "5"),
        ("• 5", "5"),
    ],
)
def test_an_open_answer_in_any_spelling(one: str, other: str) -> None:
    assert equal_by_rule(one, other, TaskType.OPEN_ENDED, "") is True
    assert equal_by_rule(other, one, TaskType.OPEN_ENDED, "") is True


def test_an_option_may_be_the_letter_of_a_point():
    points = "Which point?\nA. D\nB. C\nC. P\nD. Q"
    assert equal_by_rule("B", "B. C", TaskType.MCQ, points) is True
    assert equal_by_rule("A", "(A) D", TaskType.MCQ, points) is True
    assert equal_by_rule("B", "B. D", TaskType.MCQ, points) is None


def test_what_looks_like_markup_and_is_not():
    assert plain("$5 and $6") == "$5 and $6"
    assert plain("- 5") == "- 5"
    assert plain("x*y*z") == "x*y*z"
    assert plain("5!") == "5!"
    assert equal_by_rule("10^3", "103", TaskType.OPEN_ENDED, "") is False


ROUNDED = "Give your answer to two decimals."


@pytest.mark.parametrize(
    ("one", "other", "question"),
    [
        ("0.33", "1/3", ROUNDED),
        ("1/3", "0.33", "Round to the nearest hundredth."),
        (r"\sqrt{2}", "1.41", ROUNDED),
        (r"\pi/2", "1.57", ROUNDED),
        ("33%", "1/3", "Round to the nearest percent."),
        ("3.14", "3.142", ROUNDED),
        ("1200", "1234", "Round to the nearest hundred."),
        ("12", "12.4", "Answer to the nearest integer."),
        ("2.5 m", "2.46 m", "Correct to 1 d.p."),
        ("0.33", "1/3", "保留两位小数"),
        ("6.02 x 10^23", "6.022 x 10^23", "Give three significant figures."),
    ],
)
def test_a_rounded_number_is_left_to_the_model(one: str, other: str, question: str) -> None:
    assert equal_by_rule(one, other, TaskType.OPEN_ENDED, question) is None
    assert equal_by_rule(other, one, TaskType.OPEN_ENDED, question) is None


def test_rounding_excuses_no_other_number():
    assert equal_by_rule("0.33", "0.5", TaskType.OPEN_ENDED, ROUNDED) is False
    assert equal_by_rule("1/3", "0.33", TaskType.OPEN_ENDED, "What is it?") is False
    shares = "Which share is red?\nA. 0.33\nB. 0.5"
    assert equal_by_rule("A", "1/3", TaskType.MCQ, shares) is None
    assert equal_by_rule("B", "0.5", TaskType.MCQ, shares) is True
