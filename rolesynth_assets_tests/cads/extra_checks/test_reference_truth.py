import polars as pl

from rolesynth_assets.cads.extra_checks.reference_truth import (
    ALL_CHECKS,
    BY_CONSENSUS,
    wrong_references,
)
from rolesynth_assets_tests.cads.round_frames import candidate, frame

RULES = [
    "no text only leak",
    "no suspect label",
    "no copied numbers",
    "no duplicate",
    "C >= 1 without the writer",
]
ROWS = [
    candidate(0, "+++", answer="3"),  # right
    candidate(1, "++-", answer="3", suspect_label=True, duplicate_of="c000"),  # right
    candidate(2, "+--", answer="5", consensus_without_writer=0, suspect_label=True),  # wrong
    candidate(3, "++-", answer="5", text_only_leak=True, suspect_label=False),  # wrong
    candidate(4, "+++", answer="5", copied_numbers=True, consensus_without_writer=2),  # wrong
    candidate(5, "+++", question="What is it?", answer="a barge"),  # nobody can tell
    candidate(6, "---", answer="5", suspect_label=True),  # discarded
    candidate(7, "+-?", answer="5"),  # undecided
]


def truth(visual_prompt: str, question: str) -> str | None:
    assert visual_prompt == "Draw 3 apples on a table."
    return "three" if question.startswith("How many") else None


def test_each_rule_is_counted_against_the_truth() -> None:
    found = wrong_references(frame("candidates", ROWS), truth)
    table = {rule: rest for rule, *rest in found.iter_rows()}
    assert list(table) == [BY_CONSENSUS, *RULES, ALL_CHECKS]
    # kept, verified, wrong, share, caught, lost
    assert table[BY_CONSENSUS] == [6, 5, 3, 3 / 5, 0, 0]
    assert table["no text only leak"] == [5, 4, 2, 2 / 4, 1, 0]
    assert table["no suspect label"] == [4, 3, 2, 2 / 3, 1, 1]
    assert table["no copied numbers"] == [5, 4, 2, 2 / 4, 1, 0]
    assert table["no duplicate"] == [5, 4, 3, 3 / 4, 0, 1]
    assert table["C >= 1 without the writer"] == [5, 4, 2, 2 / 4, 1, 0]
    assert table[ALL_CHECKS] == [2, 1, 0, 0.0, 3, 1]


def test_options_are_compared_by_their_letter() -> None:
    question = "How many?\nA. 2\nB. 3\nC. 4\nD. 5"
    rows = [
        candidate(n, "+++", question=question, answer=answer, task_type="MCQ")
        for n, answer in enumerate("BC")
    ]
    found = wrong_references(frame("candidates", rows), lambda prompt, question: "B")
    assert found.row(0, named=True)["wrong"] == 1
    words = wrong_references(frame("candidates", rows), lambda prompt, question: "3")
    assert words.equals(found)


def test_nothing_kept_counts_nothing() -> None:
    found = wrong_references(frame("candidates", ROWS[6:]), truth)
    assert found["kept"].to_list() == [0] * 7
    assert found["wrong_share"].null_count() == 7
    assert found.schema["wrong_share"] == pl.Float64
