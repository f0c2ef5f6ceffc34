from __future__ import annotations

import pytest

from rolesynth_assets.answers.options import LETTERS, named_option, options

LINES = "Which one?\nA. 5\nB. 6\nC. a red ball\nD. 1/2"
ONE_LINE = "Which one? (A) 5 (B) 6 (C) a red ball (D) 1/2"


def test_options_stand_on_lines_or_in_one():
    expected = {"A": "5", "B": "6", "C": "a red ball", "D": "1/2"}
    assert options(LINES) == expected
    assert options(ONE_LINE) == expected
    assert options("Is A. larger than B.?") == {}
    assert options("See A. Then:\nA) x\nB) y\nC) z\nD) w\nThink first.") == {
        "A": "x",
        "B": "y",
        "C": "z",
        "D": "w",
    }
    ten = "\n".join(f"({letter}) {n}" for n, letter in enumerate(LETTERS))
    assert list(options(ten)) == list(LETTERS)


def test_a_word_is_no_option():
    assert named_option("A cat") is None
    assert named_option("Cat") is None
    assert named_option("") is None
    assert named_option("answer " * 1_000 + "!") is None


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ("c", ("C", "")),
        ("(B).", ("B", "")),
        ("Answer: option d", ("D", "")),
        ("B) two  dots", ("B", "two dots")),
        ("J", ("J", "")),
    ],
)
def test_an_answer_names_an_option_and_its_text(answer, named):
    assert named_option(answer) == named


@pytest.mark.parametrize(
    "question",
    [
        "Q?\uff08A\uff095\uff08B\uff096",
        "Q?【A】5【B】6",
        "Q?\n\\(A\\) 5\n\\(B\\) 6",
        "Q?\nA\\. 5\nB\\. 6",
        "Q?\nA\\) 5\nB\\) 6",
        "Q?\n$A$. 5\n$B$. 6",
        "Q?\n$(A)$ 5\n$(B)$ 6",
        "Q?<br>A. 5<br>B. 6",
        "Q?<br/>A. 5<br />B. 6",
        "Q?\nOption A: 5\nOption B: 6",
        "Q? Option A. 5 Option B. 6",
        "Q?\nChoice A) 5\nChoice B) 6",
    ],
)
def test_options_in_other_marks(question: str) -> None:
    assert options(question) == {"A": "5", "B": "6"}


@pytest.mark.parametrize(
    "question", ["What is P(A) + P(B)?", "Is $A$ above $B$?", "\\(A\\cup B\\)"]
)
def test_letters_that_mark_no_option(question: str) -> None:
    assert options(question) == {}
