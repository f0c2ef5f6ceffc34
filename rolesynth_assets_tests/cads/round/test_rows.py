"""Records through the store and back: what the next round builds on."""

from pathlib import Path

import pytest

from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.extra_checks import kept_prints
from rolesynth_assets.cads.round.rows import (
    MissingRoundError,
    candidate_rows,
    context_rows,
    read_previous,
    read_prints,
    verdict_rows,
)
from rolesynth_assets.cads.values import Decision, SeedContext
from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.cads.simulated import SimulatedMember, next_round, play, seeds

FIRST, SECOND, THIRD = "2026-01-04", "2026-01-11", "2026-01-18"


def members() -> list[SimulatedMember]:
    return [SimulatedMember("ada", 2), SimulatedMember("ben", 3), SimulatedMember("cleo", 4)]


def keep(store: Store, outcome: RoundOutcome) -> None:
    partition = {"domain": outcome.domain, "round": outcome.round_key}
    store.replace("candidates", partition, candidate_rows(outcome), allow_empty=True)
    store.replace("verdicts", partition, verdict_rows(outcome), allow_empty=True)
    store.replace("contexts", partition, context_rows(outcome))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def test_next_round_reads_what_the_rounds_before_left(store: Store, journal: Journal):
    one = play(journal, members(), seeds(3), round_key=FIRST)
    keep(store, one)
    contexts, own = read_previous(store, "dots", FIRST)
    assert (contexts, own) == next_round(one)
    two = play(journal, members(), seeds(3), previous=contexts, own_questions=own, round_key=SECOND)
    keep(store, two)
    assert read_previous(store, "dots", SECOND) == next_round(two, own)
    assert read_previous(store, "dots", FIRST) == (contexts, own)  # a rerun sees no later round
    assert read_prints(store, "dots", FIRST) == kept_prints(one.candidates)
    both = [p.key for p in kept_prints([*one.candidates, *two.candidates])]
    assert {p.key for p in read_prints(store, "dots", SECOND)} == set(both)


def test_first_round_builds_on_nothing_and_a_gap_is_an_error(store: Store, journal: Journal):
    assert read_previous(store, "dots", None) == ({}, {})
    assert read_previous(store, "dots", FIRST) == ({}, {})  # the domain begins later
    assert read_prints(store, "dots", None) == []
    keep(store, play(journal, members(), seeds(1), round_key=FIRST))
    with pytest.raises(MissingRoundError, match=f"has round {FIRST} but not round {SECOND}"):
        read_previous(store, "dots", SECOND)
    assert read_previous(store, "other domain", SECOND) == ({}, {})


def test_rows_say_what_the_records_say(journal: Journal):
    group = members()
    group[2].override = lambda step, _: FailureReason.REFUSED if step == "write" else None
    outcome = play(journal, group, seeds(2))
    rows = {row["candidate_id"]: row for row in candidate_rows(outcome).to_pylist()}
    assert len(rows) == 6
    for record in outcome.candidates:
        row = rows[record.candidate_id]
        assert (row["domain"], row["round"], row["run_id"]) == ("dots", FIRST, "run")
        assert (row["decision"], row["consensus"], row["hard"], row["judges"]) == (
            record.decision,
            record.consensus,
            record.hard,
            3,
        )
        if record.member == "cleo":
            assert (row["decision"], row["reason"]) == (Decision.FAILED, "write_refused")
            assert row["question"] is None and row["strategy"] is None and row["image"] is None
        else:
            assert record.problem
            assert (row["question"], row["answer"]) == (
                record.problem.question,
                record.problem.answer,
            )
            assert row["strategy"] == "Logic Reversion" and row["core_concepts"] == '["counting"]'
            assert row["image"] == record.image and row["renderer"] == "plain"
            assert (row["calls"], row["prompt_tokens"]) == (2, 20)
    verdicts = verdict_rows(outcome).to_pylist()
    assert len(verdicts) == 12
    assert {row["decided_by"] for row in verdicts} == {"rule"}
    assert sum(row["is_writer"] for row in verdicts) == 4
    contexts = context_rows(outcome).to_pylist()
    assert [row["seed_id"] for row in contexts] == [seed.seed_id for seed in seeds(2)]
    assert {row["round_number"] for row in contexts} == {1}
    assert {row["dealt"] for row in contexts} == {3}


def test_seed_that_is_done_keeps_its_context_row(store: Store, journal: Journal):
    seed_id = seeds(1)[0].seed_id
    before = {seed_id: SeedContext(seed_id, 4, "advice", 8)}
    outcome = play(journal, members(), seeds(1), previous=before, round_key=THIRD)
    keep(store, outcome)
    assert read_previous(store, "dots", THIRD)[0] == before
    row = context_rows(outcome).to_pylist()[0]
    assert (row["before"], row["text"], row["reflection"], row["hard"]) == (
        "advice",
        "advice",
        None,
        0,
    )


def test_data_version_does_not_depend_on_the_run_or_on_what_was_replayed(
    store: Store, journal: Journal
):
    partition = {"domain": "dots", "round": FIRST}
    digests = []
    for _ in range(2):
        keep(store, play(journal, members(), seeds(2)))
        digests.append([store.digest(t, partition) for t in ("candidates", "verdicts", "contexts")])
    assert digests[0] == digests[1]
