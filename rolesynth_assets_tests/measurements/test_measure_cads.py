"""The comparison's own arithmetic, on members of known skill."""

import asyncio
from pathlib import Path

import polars as pl
import pytest

from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    collective,
    seeds,
)
from rolesynth_assets_tests.measurements import measure_cads as measure
from rolesynth_assets_tests.measurements.cads_arms import ALONE, OFF, ON, Redrawn, arms_of, play


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    members = [SimulatedMember("ada", 2), SimulatedMember("ben", 3), SimulatedMember("cleo", 4)]
    of = collective(candidates_per_seed=9, rounds=3)
    folder: Path = tmp_path_factory.mktemp("journal")
    frames = {}
    with Journal(folder / "j") as journal:
        for arm in arms_of(of, {m.name: m for m in members}):
            made = asyncio.run(play(arm, seeds(20), PlainRenderer(), journal))
            frames[arm.name] = measure.with_kept(made)
    return frames


def test_the_first_round_is_the_same_with_and_without_context(arms) -> None:
    first = measure.difference(arms[ON], arms[OFF], "hard")[1]
    assert (first.value, first.low, first.high) == (0, 0, 0)


def test_context_raises_the_hard_share_after_the_first_round(arms) -> None:
    gain = measure.difference(arms[ON], arms[OFF], "hard")[0]
    assert gain.low > 0.1


def test_shares_are_those_of_the_decided_candidates(arms) -> None:
    rows = arms[ON]
    found = measure.shares(rows, "hard")
    assert sorted(found) == [0, 1, 2, 3]
    second = rows.filter(pl.col("round_number") == 2)
    assert second.height == 60
    assert found[2].value == pytest.approx(second["hard"].mean())
    assert found[2].low <= found[2].value <= found[2].high
    undecided = rows.with_columns(consensus=pl.lit(None, pl.Int32))
    assert measure.shares(undecided, "hard") == {}


def test_one_member_k_times_is_asked_k_times_and_agrees_with_itself(arms) -> None:
    """A simulated member's skill is fixed: C is 0 or K, so nothing is hard."""
    alone = arms[ALONE]
    assert set(alone["consensus"]) == {0, 3}
    assert alone["model"].unique().to_list() == ["model-ada"]
    assert alone["revision"].n_unique() == 3


def test_a_redrawn_engine_asks_with_another_seed() -> None:
    member = SimulatedMember("ada")
    request = ChatRequest("k", prompt("judge").system, "Level 1: q?", Sampling(1, 1, 9), seed=7)

    async def ask(draw: int) -> None:
        async for _ in Redrawn(member, draw).complete([request]):
            pass

    for draw in (0, 1, 1):
        asyncio.run(ask(draw))
    first, second, third = (asked.seed for asked in member.requests)
    assert len({first, second, request.seed}) == 3
    assert second == third


def test_the_page_names_arms_and_rounds(arms) -> None:
    text = measure.page(arms)
    assert "| percent of decided | round 1 | round 2 | round 3 | after the first |" in text
    assert f"| {ON} minus {OFF}: hard | 0.0 [0.0, 0.0] |" in text
    assert text.count("C >= 1 without the writer") == 3


def test_seed_problems_of_a_world_differ_from_those_of_another() -> None:
    one, other = (measure.world_seeds("counting", 6, world) for world in (0, 1))
    assert len({seed.seed_id for seed in one + other}) == len(one) + len(other) >= 11
    assert all(seed.problem.startswith("<image>\n") and len(seed.images) == 1 for seed in one)
