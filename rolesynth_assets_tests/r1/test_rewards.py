import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.rewards import (
    accuracy_reward,
    format_reward,
    is_gradable,
    is_right,
    is_well_formed,
    total_reward,
)

MCQ, OPEN = TaskType.MCQ, TaskType.OPEN_ENDED
OPTIONS = "Which colour?\nA. red\nB. blue\nC. green\nD. teal"


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("<think>t</think>\\boxed{B}", True),
        ("\\boxed{B}", True),  # the form is rewarded apart
        ("\\boxed{(b)}", True),
        ("\\boxed{B. blue}", True),
        ("\\boxed{C}", False),
        ("\\boxed{A or B}", False),
        ("B", False),  # no box, no reward
        ("<think>\\boxed{B}</think>", False),
    ],
)
def test_an_option_is_right_by_its_letter_in_a_box(reply, right):
    assert is_right(reply, "B", MCQ, OPTIONS) is right


@pytest.mark.parametrize(
    ("solution", "boxed", "right"),
    [
        ("3", "3", True),
        ("3", "three", True),
        ("3", "4", False),
        ("0.5", "\\frac{1}{2}", True),
        ("yes", "Yes.", True),
        ("yes", "no", False),
        ("a red ball", "something quite else entirely", False),  # rules cannot tell: no reward
    ],
)
def test_an_open_answer_is_right_by_the_rules(solution, boxed, right):
    reply = f"<think>t</think> \\boxed{{{boxed}}}"
    assert is_right(reply, solution, OPEN, "What is it?") is right


@pytest.mark.parametrize(
    ("reply", "formed"),
    [
        ("<think>I see three.</think>\n\\boxed{3}", True),
        ("  <think>x</think> The answer is \\boxed{3}.", True),
        ("<think></think>\\boxed{3}", False),  # no thought
        ("\\boxed{3}", False),
        ("<think>x</think> 3", False),
        ("<think>x</think>\\boxed{}", False),
        ("<think>x</think>\\boxed{3} \\boxed{4}", False),  # one guess only
        ("<think>x</think><think>y</think>\\boxed{3}", False),
        ("Hello <think>x</think>\\boxed{3}", False),
        ("<think>x \\boxed{3}", False),
    ],
)
def test_the_form_is_one_thought_and_one_box(reply, formed):
    assert is_well_formed(reply) is formed


def test_the_weights_are_nine_to_one():
    good = "<think>t</think>\\boxed{3}"
    assert total_reward(good, "3", OPEN, "How many?") == pytest.approx(1.0)
    assert total_reward("\\boxed{3}", "3", OPEN, "How many?") == pytest.approx(0.9)
    assert total_reward(good, "4", OPEN, "How many?") == pytest.approx(0.1)
    assert total_reward("3", "3", OPEN, "How many?") == 0


@given(st.text(max_size=120), st.sampled_from(["3", "B", "yes", "x^2"]), st.sampled_from(TaskType))
def test_no_reply_breaks_the_reward(reply, solution, kind):
    assert 0 <= total_reward(reply, solution, kind, OPTIONS) <= 1


def test_trl_gets_one_number_a_completion():
    said = ["<think>t</think>\\boxed{B}", "\\boxed{7}", "nothing"]
    completions = [[{"role": "assistant", "content": text}] for text in said]
    columns = {
        "prompts": [[]] * 3,
        "completion_ids": [[1]] * 3,
        "solution": ["B", "7", "no"],
        "task_type": ["MCQ", "Open-ended", "Open-ended"],
        "question": [OPTIONS, "How many?", "Is it?"],
        "item_id": ["a", "b", "c"],
        "trainer_state": None,
    }
    assert accuracy_reward(completions=completions, **columns) == [1, 1, 0]
    assert format_reward(completions=completions, **columns) == [1, 0, 0]


@pytest.mark.parametrize(
    ("answer", "kind", "gradable"),
    [("3", OPEN, True), ("B", MCQ, True), ("\\frac{1}{2}", OPEN, True), ("", OPEN, False),
     ("x" * 400, OPEN, False), ("}{", OPEN, False)],
)  # fmt: skip
def test_only_what_the_reward_recognises_is_gradable(answer, kind, gradable):
    assert is_gradable(answer, kind, OPTIONS) is gradable
