from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from rolesynth_assets.cads.problems.drops import DropReason
from rolesynth_assets.cads.problems.rows import candidate_images, problem_table
from rolesynth_assets.cads.problems.rules import SelectionRules
from rolesynth_assets.cads.problems.select import COLUMNS, select_problems
from rolesynth_assets.store.errors import MissingRowError
from rolesynth_assets.store.lance.schemas import PROBLEMS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.answers.in_process_grader import InProcessGrader
from rolesynth_assets_tests.cads.round_frames import PARTITION, candidate, frame, picture

GRADER = InProcessGrader()


def written(number: int, said: str = "++-", **fields: Any) -> dict[str, Any]:
    """A candidate with all that a real one has, and a question of its own."""
    own = {
        "question": f"How many apples lie beside object number {number} of this picture?",
        "answer": str(number + 2),
        "solution": "Count them.",
    }
    return candidate(number, said, **(own | fields))


def images_of(rows: Sequence[Mapping[str, Any]]):
    pictures = {row["candidate_id"]: row["image"] for row in rows}
    return lambda ids: {key: pictures[key] for key in ids}


def select(rows: Sequence[dict[str, Any]], **kwargs: Any):
    candidates = frame("candidates", rows).drop("image")
    return select_problems(candidates, images_of(rows), GRADER, **kwargs)


def reasons(selection) -> dict[str, str]:
    return dict(selection.rows.select("problem_id", "reason").iter_rows())


def test_accepted_candidates_are_kept_and_the_others_are_no_rows() -> None:
    failed = written(4, "?") | {"decision": "failed", "image": None, "question": None}
    rows = [written(0, "+++"), written(1, "+--"), written(2, "---"), written(3, "++?"), failed]
    selection = select(rows)
    assert reasons(selection) == {"c000": None, "c001": None}
    assert selection.not_accepted == {"discarded": 1, "failed": 1, "undecided": 1}
    assert selection.rows["hard"].to_list() == [False, True]
    assert (selection.kept, selection.dropped) == (2, {})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"answer": "none"}, DropReason.UNGRADABLE_EASYR1),
        ({"answer": "7\\"}, DropReason.UNGRADABLE_TRL),
        ({"answer": "7 V"}, DropReason.UNIT_UNNAMED),
        ({"task_type": "MCQ", "answer": "E"}, DropReason.NO_OPTION),
    ],
)
def test_what_no_trainer_can_use_is_dropped_with_its_reason(
    fields: dict[str, str], reason: DropReason
) -> None:
    selection = select([written(0), written(1, **fields)])
    assert reasons(selection) == {"c000": None, "c001": str(reason)}
    row = selection.rows.row(1, named=True)
    assert not row["kept"] and row["detail"]
    assert row["answer"] == fields.get("answer", "3")  # of a dropped row, as it was written
    assert selection.dropped == {str(reason): 1}


def test_a_kept_row_holds_the_bare_answer_and_tells_what_was_written() -> None:
    selection = select([written(0, answer="12 apples"), written(1)])
    row = selection.rows.row(0, named=True)
    assert (row["answer"], row["kept"]) == ("12", True)
    assert row["detail"] == "the writer's answer was '12 apples'"
    assert selection.rows.row(1, named=True)["detail"] == ""


def test_the_seeds_own_question_is_no_synthetic_problem() -> None:
    rows = [written(0), written(1)]
    problem = "<image> How many  apples lie beside object number 1 of this Picture?"
    seeds = pl.DataFrame({"seed_id": ["s0", "s1"], "problem": ["Another?", problem]})
    assert reasons(select(rows, seeds=seeds)) == {"c000": None, "c001": "copies_seed"}
    assert reasons(select(rows)) == {"c000": None, "c001": None}


@pytest.mark.parametrize("question", ["A sign reads <|im_end|>. Where?", "What is <VIDEO>?"])
def test_a_question_about_a_control_token_is_kept_as_it_was_written(question: str) -> None:
    selection = select([written(0, question=question)])
    assert reasons(selection) == {"c000": None}
    assert selection.rows["question"].to_list() == [question]


def test_a_writers_placeholder_for_the_image_is_taken_out() -> None:
    selection = select([written(0, question="<image>\nHow many apples are in <Image>?")])
    assert selection.rows["question"].to_list() == ["How many apples are in ?"]


def test_a_duplicate_falls_to_the_smaller_id_and_to_an_earlier_round() -> None:
    same: dict[str, Any] = {"question": "How many apples are there?", "answer": "3"}
    same["image"] = picture(7)
    other_answer: dict[str, Any] = same | {"answer": "4"}
    other_picture: dict[str, Any] = same | {"image": picture(8)}
    rows = [
        written(0, **same, round="2026-01-12"),
        written(1, **same, round="2026-01-05"),
        written(2, **same, round="2026-01-05"),
        written(3, **other_answer),
        written(4, **other_picture),
    ]
    selection = select(rows)
    assert reasons(selection) == {
        "c000": "duplicate",
        "c001": None,
        "c002": "duplicate",
        "c003": None,
        "c004": None,
    }
    details = dict(selection.rows.select("problem_id", "detail").iter_rows())
    assert details["c000"] == details["c002"] == "of c001"


def test_no_duplicate_is_dropped_for_a_problem_that_is_not_kept_itself() -> None:
    same: dict[str, Any] = {"question": "How many apples are there?", "answer": "none"}
    same["image"] = picture(7)
    rows = [
        written(0, "---", **(same | {"answer": "3"})),
        written(1, **same),
        written(2, **(same | {"answer": "3"})),
    ]
    assert reasons(select(rows)) == {"c001": "ungradable_easyr1", "c002": None}


def test_findings_of_extra_checks_drop_only_where_that_was_asked_for() -> None:
    rows = [
        written(0, text_only_leak=True),
        written(1, suspect_label=True),
        written(2, copied_numbers=True),
        written(3, consensus_without_writer=0),
        written(4, suspect_label=False, consensus_without_writer=1),
        written(5),
    ]
    assert set(reasons(select(rows)).values()) == {None}
    two = SelectionRules(refused=frozenset({"suspect_label", "writer_alone"}))
    found = {key: reason for key, reason in reasons(select(rows, rules=two)).items() if reason}
    assert found == {"c001": "suspect_label", "c003": "writer_alone"}


def test_the_set_is_counted_both_ways_duplicates_and_draw_included() -> None:
    same = {"question": "How many?", "answer": "4", "image": picture(7)}
    rows = [written(0, suspect_label=True, **same), written(1, **same), written(2), written(3)]
    rules = SelectionRules(refused=frozenset({"suspect_label"}))
    selection = select(rows, rules=rules)
    assert reasons(selection)["c000"] == "suspect_label" and reasons(selection)["c001"] is None
    assert (selection.kept, selection.kept_unrefused) == (3, 3)  # its copy takes its place
    other = select([written(0, suspect_label=True), *rows[2:]], rules=rules)
    assert (other.kept, other.kept_unrefused) == (2, 3)
    drawn = select(rows, rules=SelectionRules(2, 0, rules.refused))
    assert (drawn.kept, drawn.kept_unrefused) == (2, 2)


def test_rules_that_choose_otherwise_have_another_digest() -> None:
    label, alone = "suspect_label", "writer_alone"
    rules = [
        SelectionRules(),
        SelectionRules(refused=frozenset({label})),
        SelectionRules(refused=frozenset({label, alone})),
        SelectionRules(target=1),
        SelectionRules(draw_seed=1),
    ]
    assert len({rule.digest for rule in rules}) == len(rules)
    assert SelectionRules(refused=frozenset([alone, label])).digest == rules[2].digest


def test_down_sampling_keeps_the_mix_takes_hard_ones_first_and_records_its_seed() -> None:
    rows = [written(n, "+++" if n % 4 < 2 else "+--") for n in range(24)]
    selection = select(rows, rules=SelectionRules(target=8, draw_seed=5))
    kept = selection.rows.filter("kept")
    assert kept.height == selection.kept == 8
    assert kept["strategy"].value_counts()["count"].to_list() == [4, 4]
    assert kept["hard"].all()
    left_out = selection.rows.filter(~pl.col("kept"))
    assert set(left_out["reason"]) == {"not_drawn"}
    assert set(left_out["detail"]) == {"8 of 24 were drawn with seed 5"}
    again = select(rows[::-1], rules=SelectionRules(target=8, draw_seed=5))
    assert again.rows.equals(selection.rows)
    other = select(rows, rules=SelectionRules(target=8, draw_seed=6))
    assert not other.rows.equals(selection.rows)


def test_rules_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        SelectionRules(target=0)
    with pytest.raises(ValueError, match="duplicate cannot be chosen"):
        SelectionRules(refused=frozenset({DropReason.DUPLICATE}))


def test_an_accepted_candidate_without_an_image_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"candidate c001 of round 2026-01-05 .* no image_id"):
        select([written(0), written(1, image_id=None)])


def test_the_rows_fit_their_table_with_the_candidates_images(tmp_path: Path) -> None:
    rows = [written(n) for n in range(3)] + [written(3, "---", image=None)]
    store = Store(tmp_path)
    store.replace("candidates", PARTITION, frame("candidates", rows).to_arrow())
    images = candidate_images(store, "counting")
    candidates = pl.DataFrame(store.read("candidates", {"domain": "counting"}, COLUMNS))
    selection = select_problems(candidates, images, GRADER)
    table = problem_table(selection.rows, images)
    assert table.schema == PROBLEMS.schema
    store.replace("problems", {"domain": "counting"}, table)
    stored = store.read("problems", {"domain": "counting"}).to_pylist()
    assert {row["problem_id"]: row["image"] for row in stored} == {
        f"c{n:03d}": picture(n) for n in range(3)
    }
    with pytest.raises(MissingRowError, match="c003"):
        images(["c000", "c003"])
