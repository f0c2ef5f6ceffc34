from pathlib import Path

import polars as pl
import pytest

from rolesynth_assets.errors import InputError
from rolesynth_assets.lineage.withdraw.withdrawal import doomed_rows
from rolesynth_assets.review.measures import references_true_by_people
from rolesynth_assets.review.problem_labels import (
    Judgement,
    read_problem_labels,
    write_problem_label,
)
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.lineage.stored_problems import DOMAIN, store_problems


def answers(true: int, false: int, unsure: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    truths = ["true"] * true + ["false"] * false + ["unsure"] * unsure
    ids = [f"p{n}" for n in range(len(truths))]
    labels = pl.DataFrame({"candidate_id": ids, "decision": "kept", "truth": truths})
    return labels, pl.DataFrame({"problem_id": ids, "kept": [True] * len(ids)})


@pytest.mark.parametrize(
    ("true", "false", "passed"), [(30, 0, True), (26, 4, True), (20, 20, False), (12, 28, False)]
)
def test_the_check_fails_only_if_people_show_it(true: int, false: int, passed: bool) -> None:
    outcome = references_true_by_people(*answers(true, false, unsure=3), min_share=0.8)
    assert outcome.passed is passed
    assert outcome.value == pytest.approx(true / (true + false))


def test_few_answers_and_answers_on_dropped_problems_say_nothing() -> None:
    labels, problems = answers(0, 30)
    assert references_true_by_people(*answers(0, 19)).passed
    dropped = problems.with_columns(pl.lit(False).alias("kept"))
    assert references_true_by_people(labels, dropped).passed
    assert not references_true_by_people(labels, problems).passed


def test_of_two_answers_of_a_reviewer_the_last_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store_problems(store, SmallTables(tmp_path))
    candidate = store.read("candidates")["candidate_id"][0].as_py()
    for judgement in (Judgement.TRUE, Judgement.UNSOLVABLE):
        write_problem_label(store, candidate, " Ada  L. ", judgement)
    (row,) = read_problem_labels(store, DOMAIN).to_dicts()
    assert (row["reviewer"], row["judgement"], row["truth"]) == ("Ada L.", "unsolvable", "false")
    with pytest.raises(InputError, match="no longer stored"):
        write_problem_label(store, "0" * 64, "Ada", Judgement.TRUE)


def test_answers_go_with_the_image_of_their_problem(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store_problems(store, SmallTables(tmp_path))
    row = next(r for r in store.read("candidates").to_pylist() if r["image_id"])
    write_problem_label(store, row["candidate_id"], "Ada", Judgement.TRUE)
    doomed = doomed_rows(store, [row["image_id"]])
    assert store.count("problem_labels", where=doomed["problem_labels"]) == 1
