"""Problems of the embedded world and their true answers."""

import random
from collections import defaultdict

import pytest

from rolesynth_assets.embedded.problems.pose import Domain, questions, sample_picture, with_options
from rolesynth_assets.embedded.problems.solve import solve, true_answer
from rolesynth_assets.embedded.world.figures import Bar, BarChart, Colour, Form, Shape
from rolesynth_assets.embedded.world.specification import (
    SpecificationError,
    draw_specification,
    read_specification,
    specification,
)

CHART = BarChart((Bar(0, Colour.RED, 7), Bar(2, Colour.TEAL, 2), Bar(3, Colour.BLUE, 4)))


@pytest.mark.parametrize("domain", Domain)
def test_every_question_has_an_answer_and_keeps_it_as_multiple_choice(domain: Domain) -> None:
    rng = random.Random(0)
    for index in range(60):
        picture = sample_picture(domain, 5, index)
        for question in questions(domain, picture, rng):
            solution = solve(question, picture)
            assert solution is not None, question
            asked, letter = with_options(question, solution.answer, rng)
            again = solve(asked, picture)
            assert again is not None and again.answer == letter


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is the value of the teal bar?", "2"),
        ("Which bar is the tallest?", "red"),
        ("How much higher is the red bar than the blue bar?", "3"),
        ("What is the sum of the blue bar and the teal bar?", "6"),
        ("How many bars are there?\nA. 1\nB. 2\nC. 3\nD. 4", "C"),
    ],
)
def test_answers_about_a_chart(question: str, answer: str) -> None:
    solution = solve(question, CHART)
    assert solution is not None and solution.answer == answer


def test_what_cannot_be_known_has_no_answer() -> None:
    for question in (
        "What is the value of the green bar?",
        "Why?",
        "How many bars are there?\nA. 9",
    ):
        assert solve(question, CHART) is None


def test_the_questions_of_easy_vqa_are_answered_as_published() -> None:
    from easy_vqa import get_train_questions

    by_image: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for question, answer, image in zip(*get_train_questions(), strict=True):
        by_image[image].append((question, answer))
    checked = 0
    for pairs in list(by_image.values())[:400]:
        told = {answer for _, answer in pairs}
        forms, colours = told & set(Form), told & set(Colour)
        if len(forms) != 1 or len(colours) != 1:
            continue  # the published answers do not tell both
        shape = Shape(Form(forms.pop()), Colour(colours.pop()), 50, 50, 20, 20, (240, 240, 240))
        for question, answer in pairs:
            solution = solve(question, shape)
            assert solution is not None and solution.answer == answer, question
            checked += 1
    assert checked > 1000


@pytest.mark.parametrize("domain", Domain)
def test_a_specification_reads_back_and_is_drawn(domain: Domain) -> None:
    picture = sample_picture(domain, 1, 3)
    instruction = f"Draw this. {specification(picture)}"
    assert read_specification(instruction) == picture
    assert draw_specification(instruction).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "instruction",
    [
        "no object at all",
        '{"scene": 3}',
        '{"painting": {}}',
        '{"bar chart": {"bars": [{"slot": 9, "colour": "red", "value": 3}]}}',
        '{"bar chart": {"bars": [{"slot": 0, "colour": "red", "value": 30000}]}}',
        "{" + "[" * 30_000,
    ],
)
def test_what_cannot_be_drawn_is_refused(instruction: str) -> None:
    with pytest.raises(SpecificationError):
        draw_specification(instruction)


def test_truth_is_worked_out_of_the_drawing_instruction() -> None:
    picture = sample_picture(Domain.BAR_CHARTS, 0, 0)
    instruction = f"A bar chart.\n{specification(picture)}"
    bars = str(len(picture.bars))  # type: ignore[union-attr]
    assert true_answer(instruction, "How many bars are there?") == bars
    wrong = "How many bars are there?\nA. 90\nB. 91\nC. 92\nD. 93"
    assert true_answer(instruction, wrong) == bars
    right = f"How many bars are there?\nA. 90\nB. {bars}\nC. 92\nD. 93"
    assert true_answer(instruction, right) == "B"
    assert true_answer("Draw three bars.", "How many bars are there?") is None
