import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.answers.extraction import after_thinking, boxed, boxed_answer, final_answer
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.prompt import system_prompt

MCQ, OPEN = TaskType.MCQ, TaskType.OPEN_ENDED


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so \boxed{5}", "5"),
        (r"\boxed{1} or rather \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\boxed{C}}", "C"),
        (r"\boxed { yes }", "yes"),
        (r"\boxed{}", ""),
        (r"\boxed{3} then \boxed{unfinished", "3"),
        (r"a } stray brace, \boxed{7}", "7"),
        ("no box", None),
        (r"\boxed", None),
    ],
)
def test_the_last_balanced_box_counts(text, content):
    assert boxed(text) == content


NESTED = st.recursive(
    st.text(alphabet="ab1 +", max_size=5),
    lambda inner: st.builds("{{{}}}{}".format, inner, inner),
    max_leaves=8,
)


@given(NESTED, st.text(alphabet="xyz{}\\ ", max_size=10))
def test_any_balanced_content_comes_back_whole(content, before):
    assert boxed(f"{before} \\boxed{{{content}}}") == content.strip()


@pytest.mark.parametrize(
    ("reply", "rest"),
    [
        ("<think>I count.</think>\n\\boxed{3}", "\\boxed{3}"),
        ("<think>a</think> b <think>c</think> d", "d"),
        ("no thought, 3", "no thought, 3"),
        ("<think>still \\boxed{3}", None),
        ("thought</think> 4", "4"),  # templates may open the thinking themselves
    ],
)
def test_the_answer_stands_after_the_thinking(reply, rest):
    assert after_thinking(reply) == rest


def test_a_box_inside_the_thinking_is_no_answer():
    assert boxed_answer("<think>maybe \\boxed{3}</think> I do not know") is None
    assert boxed_answer("<think>maybe \\boxed{3}</think>\\boxed{4}") == "4"
    assert boxed_answer("\\boxed{" + "9" * 400 + "}") is None


@pytest.mark.parametrize(
    ("reply", "kind", "answer"),
    [
        ("<think>t</think> \\boxed{B}", MCQ, "B"),
        ("The answer is (C).", MCQ, "(C)"),
        ("Some reasoning.\nAnswer: 12", OPEN, "12"),
        ("The answer is 3.5. That is all.", OPEN, "3.5"),
        ("Of these the second fits.\n(B) blue", MCQ, "(B) blue"),
        ("blue", OPEN, "blue"),
        ("It is two lines.\nAnd no answer.", OPEN, None),
        ("<think>cut short", OPEN, None),
        ("\\boxed{x^2+1}\nAnswer: D", MCQ, "D"),
        ("\\boxed{9} ... **Answer:** D", MCQ, "D"),
        ("**Answer**: D", MCQ, "D"),
        ("So $\\boxed{\\frac{1}{2}}$.\n\nThe correct option is (D).", MCQ, "(D)"),
        ("\\boxed{C}\nAnswer: C", MCQ, "C"),
        ("\\boxed{9}", MCQ, "9"),
        ("\\boxed{5}\nAnswer: 6", OPEN, "5"),
        ("\u7b54\u6848\uff1aD\u3002", MCQ, "D"),
        ("\u56e0\u6b64 \\boxed{5}\uff0c\u6545\u9009D\u3002", MCQ, "D"),
        ("<think>t</think><answer>B</answer>", MCQ, "B"),
        ("The answer is option D.", MCQ, "option D"),
        ("Answer: A.5", MCQ, "A.5"),
        ("", OPEN, None),
    ],
)
def test_evaluation_reads_answers_that_stand_in_no_box(reply, kind, answer):
    assert final_answer(reply, kind) == answer


@given(st.text(max_size=200))
def test_no_reply_breaks_the_reading(reply):
    for kind in TaskType:
        answer = final_answer(reply, kind)
        assert answer is None or answer.strip()


def test_the_system_prompt_asks_for_thinking_and_a_box():
    assert "<think>" in system_prompt() and "\\boxed{}" in system_prompt()


@pytest.mark.parametrize(
    "reply",
    [
        "So it must be option D",
        "Choose D",
        "I pick D.",
        "We should go with (D).",
        "Hence, D is correct.",
        "It can only be D",
        "A is too small.\nSo I select **D**.",
        "boxed{D}",
        "The last step gives boxed{ D }.",
    ],
)
def test_a_letter_that_is_chosen_in_other_words(reply: str) -> None:
    assert final_answer(reply, TaskType.MCQ) == "D"


@pytest.mark.parametrize(
    "reply",
    ["It must be a dog.\nThat is all.", "Choose A cat or\na dog", "See.\nDo not choose A.\nSee?"],
)
def test_a_word_or_a_letter_that_is_not_chosen(reply: str) -> None:
    assert final_answer(reply, TaskType.MCQ) is None
