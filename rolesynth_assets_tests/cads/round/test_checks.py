import polars as pl
import pytest

from rolesynth_assets.cads.round import checks
from rolesynth_assets_tests.cads.round_frames import candidate, frame, round_of, verdicts_of

CANDIDATES, VERDICTS = round_of("+++", "++-", "---", "+-?", "-+-", "+++", "--+", "+++")


def changed(rows: pl.DataFrame, number: int, **values) -> pl.DataFrame:
    """`rows` with other values in one of them."""
    here = pl.int_range(pl.len()) == number
    return rows.with_columns(
        pl.when(here).then(pl.lit(value, rows.schema[name])).otherwise(name).alias(name)
        for name, value in values.items()
    )


def test_exactly_k_verdicts_holds_for_a_sound_round() -> None:
    good = checks.exactly_k_verdicts(CANDIDATES, VERDICTS)
    assert (good.passed, good.value, good.threshold) == (True, 0, 0)
    blind = VERDICTS.head(3).with_columns(with_image=False, verdict_id=pl.lit("blind"))
    assert checks.exactly_k_verdicts(CANDIDATES, pl.concat([VERDICTS, blind])).passed
    assert checks.exactly_k_verdicts(CANDIDATES.clear(), VERDICTS.clear()).passed


@pytest.mark.parametrize(
    ("candidates", "verdicts"),
    [
        (CANDIDATES, VERDICTS[1:]),  # one is missing
        (CANDIDATES, pl.concat([VERDICTS, VERDICTS[:1]])),  # one is there twice
        (CANDIDATES, changed(VERDICTS, 1, judge="ada")),  # one judge twice, another not at all
        (CANDIDATES, changed(VERDICTS, 2, correct=None)),  # no result
        (CANDIDATES, changed(VERDICTS, 2, correct=False)),  # C = 3 is not their sum
        (CANDIDATES, changed(VERDICTS, 0, with_image=False)),  # did not see the image
        (changed(CANDIDATES, 0, decision="discarded"), VERDICTS),
        (changed(CANDIDATES, 2, decision="kept"), VERDICTS),
        (changed(CANDIDATES, 0, judges=4), VERDICTS),
        (changed(CANDIDATES, 0, consensus=None), VERDICTS),
        (changed(CANDIDATES, 3, consensus=1), VERDICTS),  # undecided, and yet a C
    ],
)
def test_exactly_k_verdicts_finds_each_fault(candidates, verdicts) -> None:
    bad = checks.exactly_k_verdicts(candidates, verdicts)
    assert (bad.passed, bad.value) == (False, 1)


def test_hard_pool() -> None:
    assert checks.hard_pool(CANDIDATES).passed
    for number, hard in ((0, True), (1, False), (2, True), (3, True)):
        bad = checks.hard_pool(changed(CANDIDATES, number, hard=hard))
        assert (bad.passed, bad.value) == (False, 1)
        assert bad.metadata["examples"] == [f"c{number:03d}"]


def test_no_answer_leaked() -> None:
    assert checks.no_answer_leaked(CANDIDATES).passed
    bad = checks.no_answer_leaked(changed(CANDIDATES, 4, visual_prompt="Apples. Answer: 3"))
    assert (bad.passed, bad.value) == (False, 1)
    assert bad.metadata["examples"] == {"c004": "announced"}
    unwritten = changed(CANDIDATES, 4, visual_prompt="Apples. Answer: 3", answer=None)
    assert checks.no_answer_leaked(unwritten).passed


def test_at_most_ten_rounds() -> None:
    contexts = frame(
        "contexts",
        [{"context_id": f"x{n}", "seed_id": f"s{n}", "round_number": n} for n in (9, 10)],
    )
    good = checks.at_most_ten_rounds(contexts)
    assert (good.passed, good.value, good.threshold) == (True, 10, 10)
    bad = checks.at_most_ten_rounds(contexts.with_columns(pl.col("round_number") + 1))
    assert (bad.passed, bad.value, bad.metadata["examples"]) == (False, 11, ["s10"])
    assert not checks.at_most_ten_rounds(contexts.clear()).passed


def test_duplicates_bounded() -> None:
    one = changed(CANDIDATES, 5, duplicate_of="c000")
    assert checks.duplicates_bounded(one, max_share=0.2).value == pytest.approx(1 / 6)
    assert checks.duplicates_bounded(one, max_share=0.2).passed
    assert not checks.duplicates_bounded(one, max_share=0.1).passed
    discarded = changed(CANDIDATES, 2, duplicate_of="c000")
    assert checks.duplicates_bounded(discarded, max_share=0.0).passed


def test_undecided_bounded() -> None:
    bad = checks.undecided_bounded(CANDIDATES)
    assert (bad.passed, bad.value) == (False, 1 / 8)
    assert checks.undecided_bounded(CANDIDATES, max_share=0.125).passed
    failed = changed(CANDIDATES, 0, decision="failed")  # nothing to judge there
    assert checks.undecided_bounded(failed).value == 1 / 7
    assert checks.undecided_bounded(CANDIDATES.clear()).passed


def test_strategies_not_collapsed() -> None:
    good = checks.strategies_not_collapsed(CANDIDATES)
    assert (good.passed, good.value) == (True, 0.5)
    same = CANDIDATES.with_columns(strategy=pl.lit("Logic Reversion"))
    bad = checks.strategies_not_collapsed(same)
    assert (bad.passed, bad.value) == (False, 1.0)
    assert checks.strategies_not_collapsed(same.head(7)).passed  # too few to tell
    assert checks.strategies_not_collapsed(CANDIDATES.clear()).passed


def test_a_judge_more_than_k_is_found() -> None:
    row = candidate(0, "+++")
    given = verdicts_of(row, "+++")
    extra = frame("verdicts", [*given, given[0] | {"judge": "dan"}])
    assert not checks.exactly_k_verdicts(frame("candidates", [row]), extra).passed
