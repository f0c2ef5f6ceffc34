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
