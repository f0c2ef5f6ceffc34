from dataclasses import replace

import polars as pl
import pytest

from rolesynth_assets.cads.problems.card import ProblemCard, problem_card_markdown
from rolesynth_assets.cads.problems.card_facts import EXAMPLES, problem_card
from rolesynth_assets.cads.problems.rules import Selection, SelectionRules
from rolesynth_assets.mllm.engine import ModelIdentity
from rolesynth_assets_tests.cads.problems.exports.export_problems import problem_row

MEMBERS = {
    "ada": ModelIdentity("embedded", "nano-mllm", "r1", stand_in=True),
    "ben": ModelIdentity("openai", "Qwen|VL", "r2"),
}


def card(**fields) -> ProblemCard:
    rows = [problem_row(n, consensus=1 + n % 3, hard=n % 3 < 2) for n in range(12)]
    rows += [problem_row(n, kept=False, reason="duplicate") for n in (12, 13)]
    rows += [problem_row(14, kept=False, reason="not_drawn")]
    frame = pl.DataFrame(rows).drop("image")
    rules = SelectionRules(12, 7, frozenset({"suspect_label", "writer_alone"}))
    selection = Selection(frame, rules, {"discarded": 20, "undecided": 1}, kept_unrefused=19)
    made = problem_card(
        "counting",
        selection,
        members=MEMBERS,
        renderers=["specification"],
        licence="CC BY-SA 4.0",
        content_digest="abc",
    )
    return replace(made, **fields)


def test_the_card_says_what_was_counted() -> None:
    lines = problem_card_markdown(card()).splitlines()
    for line in (
        "# Dataset card: counting",
        "- Problems: 12, each one image, one question, one answer, one solution",
        "- Hard, which some judge failed: 8 (66.7%)",
        "- From 2 seeds in 1 rounds; no seed is part of the set",
        "- Content digest: `abc`",
        "- Images drawn by: specification",
        "| Logic Reversion | 4 | 3 | 25.0% |",
        "| MCQ | 5 | 4 | 33.3% |",
        "| ada | 15 | 12 | 100.0% |",
        "| 1 of 3 | 4 | 33.3% |",
        "| `kept` | 15 |",
        "| `discarded` | 20 |",
        "| `duplicate` | 2 |",
        "| `not_drawn` | 1 |",
        "A finding of the extra checks drops a problem: `suspect_label`, `writer_alone` "
        "(`problems.refused` in rolesynth.yaml). The set therefore has 12 problems, and would "
        "have 19 if no finding were refused.",
        "The set was to have at most 12 problems: drawn in proportion to domain and strategy, hard "
        "ones first, with draw seed 7.",
        "CC BY-SA 4.0",
    ):
        assert line in lines, line


def test_examples_are_of_the_set_and_spread_over_strategies() -> None:
    examples = card().examples
    assert len(examples) == EXAMPLES
    assert len({example.strategy for example in examples}) == 4
    questions = {problem_row(n)["question"] for n in range(12)}
    assert {example.question for example in examples} <= questions


def test_a_stand_in_is_called_one_and_a_real_model_is_not() -> None:
    page = problem_card_markdown(card())
    ada, ben = (line for line in page.splitlines() if line.startswith(("- ada", "- ben")))
    assert "**A stand-in**" in ada
    assert "tand-in" not in ben
    assert "of no use elsewhere" in page
    real = problem_card_markdown(card(members={"ben": MEMBERS["ben"]}))
    assert "tand-in" not in real


def test_a_models_text_stays_text() -> None:
    made = card()
    hostile = replace(made.examples[0], question="a | b\n<script> ![x](http://x) " + "y" * 500)
    page = problem_card_markdown(replace(made, examples=[hostile]))
    [row] = [line for line in page.splitlines() if "script" in line]
    assert row.startswith("| a \\| b &lt;script&gt; \\!\\[x\\](http:\u200b//x) yyy")
    assert "yyy… |" in row
    assert "<script" not in page


def test_a_card_without_licence_or_with_contradicting_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="licence"):
        problem_card_markdown(card(licence=" "))
    with pytest.raises(ValueError, match=r"\[11, 12\]"):
        problem_card_markdown(card(kept=11))
    with pytest.raises(ValueError, match="decisions less drops"):
        problem_card_markdown(card(dropped={}))
