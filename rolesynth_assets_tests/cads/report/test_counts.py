import polars as pl
import pytest

from rolesynth_assets.cads.records import MemberUsage
from rolesynth_assets.cads.report.counts import round_report
from rolesynth_assets.cads.report.page import round_markdown
from rolesynth_assets_tests.cads.round_frames import candidate, frame, round_of, verdicts_of

SAID = ("+++", "++-", "---", "+-?", "-+-", "+++")
CANDIDATES, VERDICTS = round_of(*SAID)
FAILED = frame(
    "candidates",
    [
        candidate(9, "---", member="cleo", strategy=None, decision="failed", consensus=None)
        | {"reason": "write_unparsable", "task_type": None, "claimed_domain": None}
    ],
)
CONTEXTS = frame(
    "contexts",
    [
        {"context_id": "x0", "seed_id": "s0", "round_number": 1, "reflection": "harder"},
        {"context_id": "x1", "seed_id": "s1", "round_number": 1},
        {"context_id": "x2", "seed_id": "s2", "round_number": 1, "reason": "unparsable"},
    ],
)


def test_a_report_counts_what_the_rows_say() -> None:
    report = round_report(pl.concat([CANDIDATES, FAILED]), VERDICTS, CONTEXTS)
    assert (report.judges, report.candidates) == (3, 7)
    assert report.consensus == (1, 1, 1, 2)
    assert (report.decided, report.kept, report.hard) == (5, 4, 2)
    assert (report.undecided, report.failed) == (1, 1)
    assert (report.keep_rate, report.hard_rate) == (4 / 5, 2 / 5)
    assert report.failures == {"write_unparsable": 1, "verdicts_missing": 1}
    assert report.missing_verdicts == {"timeout": 1}
    assert report.strategies == {"Numerical & Parameter Variation": 3, "Logic Reversion": 2}
    assert report.task_types == {"Open-ended": 5}
    assert report.decided_by == {"rule": 17, "model": 0}
    assert (report.seeds, report.seeds_at_work) == (3, 4)
    assert (report.reflected, report.not_reflected) == (1, {"unparsable": 1})
    assert report.rows_tokens == 7 * 110 + 18 * 55


def test_rates_of_a_member_are_over_decided_candidates() -> None:
    report = round_report(pl.concat([CANDIDATES, FAILED]), VERDICTS, CONTEXTS)
    ada, ben, cleo = report.members
    # ada wrote 0 (+++) and 3 (undecided); her "+" on 3 does not count
    assert (ada.judged, ada.solved, ada.missing) == (5, 3, 0)
    assert (ada.written, ada.decided, ada.kept, ada.hard) == (2, 1, 1, 0)
    assert (ben.judged, ben.solved, ben.solve_rate) == (5, 4, 4 / 5)
    assert (ben.written, ben.decided, ben.kept, ben.hard) == (2, 2, 2, 2)
    assert (cleo.solved, cleo.missing) == (2, 1)
    assert (cleo.written, cleo.decided, cleo.kept, cleo.keep_rate) == (3, 2, 1, 1 / 2)


def test_a_judge_that_writes_nothing_has_no_keep_rate() -> None:
    only_ada = CANDIDATES.with_columns(member=pl.lit("ada"))
    report = round_report(only_ada, VERDICTS, CONTEXTS)
    assert [member.keep_rate is None for member in report.members] == [False, True, True]


def test_extra_checks_are_reported_apart_and_only_where_they_ran() -> None:
    off = round_report(CANDIDATES, VERDICTS, CONTEXTS)
    assert (off.flagged, off.duplicates, off.kept_without_writer) == ({}, 0, None)
    checked = CANDIDATES.with_columns(
        suspect_label=pl.Series([False, None, True, None, True, False]),
        duplicate_of=pl.Series([None, None, "c000", None, None, "c000"]),
        consensus_without_writer=pl.Series([2, 1, 0, None, 0, 2], dtype=pl.Int32),
    )
    on = round_report(checked, VERDICTS, CONTEXTS)
    assert on.flagged == {"suspect_label": 2}
    assert (on.duplicates, on.kept_without_writer) == (1, 3)
    assert (on.consensus, on.hard) == (off.consensus, off.hard)


def test_verdicts_without_the_image_have_no_part_in_the_rates() -> None:
    blind = frame("verdicts", verdicts_of(candidate(0, "+++"), "---", with_image=False))
    report = round_report(CANDIDATES, pl.concat([VERDICTS, blind]), CONTEXTS)
    assert report.members == round_report(CANDIDATES, VERDICTS, CONTEXTS).members


def test_usage_is_added_up_over_the_members() -> None:
    usage = {
        "ada": MemberUsage(calls=3, from_journal=1, images=2, prompt_tokens=10, cost=0.5),
        "ben": MemberUsage(calls=4, images_from_journal=5, completion_tokens=7, cost=0.25),
    }
    total = round_report(CANDIDATES, VERDICTS, CONTEXTS, usage).usage
    assert total == MemberUsage(7, 1, 2, 5, 10, 7, 0.75)
    assert round_report(CANDIDATES, VERDICTS, CONTEXTS).usage == MemberUsage()


def test_a_round_of_two_collectives_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"K = \[2, 3\]"):
        round_report(
            pl.concat([CANDIDATES, frame("candidates", [candidate(8, "++")])]), VERDICTS, CONTEXTS
        )


def test_a_round_without_candidates_has_no_rates() -> None:
    empty = round_report(CANDIDATES.clear(), VERDICTS.clear(), CONTEXTS)
    assert (empty.keep_rate, empty.hard_rate, empty.members, empty.consensus) == (
        None,
        None,
        (),
        (0,),
    )
    assert "0 candidates of 0 seeds" in round_markdown(empty)


def test_the_page_shows_the_numbers_and_lets_no_name_break_out() -> None:
    hostile = CANDIDATES.with_columns(
        claimed_domain=pl.format("<script>|x\n# {}", pl.int_range(pl.len())), suspect_label=True
    )
    page = round_markdown(round_report(hostile, VERDICTS, CONTEXTS))
    assert "Kept 4 (80%), hard 2 (40%)." in page
    assert "| candidates | 1 (20%) | 1 (20%) | 1 (20%) | 2 (40%) |" in page
    assert "| ben | 4 (80%) | 0 | 2 | 2 (100%) | 2 (100%) |" in page
    assert "| suspect label | 6 |" in page
    assert "| verdict | timeout | 1 |" in page
    assert "<script>" not in page
    assert not any(line.startswith("#") for line in page.splitlines())
