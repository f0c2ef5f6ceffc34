import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.drawing.answer_leaks import Leak, leak

COUNT = "How many apples are there?"
MCQ = "Which shape is it?\nA. a red circle\nB. a blue square\nC. a star\nD. a ring"
WHY = "Why does the boat float?"
BECAUSE = "it displaces more water than it weighs"


@pytest.mark.parametrize(
    ("prompt", "question", "answer"),
    [
        ("A table with 3 apples and 2 pears.", COUNT, "3"),
        ("A number line from 0 to 10. Mark the point 3.", COUNT, "3"),
        ('{"scene": {"objects": [{"kind_index": 3, "x": 3}]}}', COUNT, "3"),
        ("The answer is 13, not 3.5.", COUNT, "3"),
        ("Do not show the answer. 3 apples lie on a table.", COUNT, "3"),
        ("No answer box; 3 apples lie on a table.", COUNT, "3"),
        ("A beaker with a solution of 3 grams of salt.", "How many grams?", "3"),
        ("A sheet with the answer options: 3, 4, 5 and 6.", COUNT, "3"),
        ("A red door in a white wall.", "Which colour is the door?", "red"),
        ("Leave the answer a blank box.", MCQ, "A"),
        ("Angle A is the right angle, side B is true to scale.", MCQ, "A"),
        ("Draw A. a red circle, B. a blue square, C. a star, D. a ring.", MCQ, "A"),
        ("a (correct) drawing of a triangle", MCQ, "A"),
        ("The panel shows a blue square.", MCQ, "B"),
        ("", COUNT, "3"),
    ],
)
def test_what_a_picture_needs_is_no_leak(prompt: str, question: str, answer: str) -> None:
    assert leak(prompt, question, answer) is None


@pytest.mark.parametrize(
    ("prompt", "question", "answer", "how"),
    [
        ("Three apples. The answer is 3.", COUNT, "3", Leak.ANNOUNCED),
        ("Do not write the answer 3 anywhere.", COUNT, "3", Leak.ANNOUNCED),
        ('{"scene": {}, "answer": "3"}', COUNT, "3", Leak.ANNOUNCED),
        ("Apples.\n**Answer:**\n\\boxed{3}", COUNT, "3", Leak.ANNOUNCED),
        ("Apples (correct value = 3)", COUNT, "3", Leak.ANNOUNCED),
        ("The ANSWER to the question is Photosynthesis.", WHY, "photosynthesis", Leak.ANNOUNCED),
        ("A square, for the answer is option B", MCQ, "B", Leak.ANNOUNCED),
        ("The correct option: a blue square", MCQ, "B", Leak.ANNOUNCED),
        ("Options A-D, highlight option B.", MCQ, "B", Leak.OPTION_MARKED),
        ("A. a red circle, B. a blue square (correct)", MCQ, "B", Leak.OPTION_MARKED),
        ("Four panels; B is correct.", MCQ, "B", Leak.OPTION_MARKED),
        ("A boat and the words 'It displaces  more water than it weighs'", WHY, BECAUSE, "quoted"),
    ],
)  # fmt: skip
def test_an_answer_told_as_an_answer_is_a_leak(prompt, question, answer, how) -> None:
    assert leak(prompt, question, answer) == how


def test_another_option_marked_is_no_leak_of_this_one() -> None:
    assert leak("Circle option C.", MCQ, "B") is None
    assert leak("The answer is C.", MCQ, "B") is None


def test_a_long_option_that_stands_alone_is_quoted() -> None:
    question = "What is shown?\nA. the cell divides into two\nB. the cell grows by half"
    both = "Panels: the cell divides into two; the cell grows by half."
    assert leak(both, question, "A") is None
    assert leak("The cell divides into two.", question, "A") is Leak.QUOTED


@given(st.text(max_size=300), st.text(max_size=40), st.text(max_size=60))
def test_any_text_is_read(prompt: str, question: str, answer: str) -> None:
    leak(prompt, question, answer)
    if answer.strip(" .") and answer == " ".join(answer.split()).rstrip("."):
        assert leak(f"{prompt}. The answer is '{answer}'", question, answer) is Leak.ANNOUNCED
