from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.lineage.refresh.sensor_tick import (
    PAUSES,
    TRIES,
    Tried,
    Wave,
    given_up,
    next_wave,
    read_cursor,
    write_cursor,
)
from rolesynth_assets.lineage.staleness.causes import Cause, Cell, CellState, Reason, Status
from rolesynth_assets.lineage.staleness.staleness import Staleness

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FRESH = CellState(Status.FRESH)


def changed(event: int) -> CellState:
    return CellState(Status.STALE, (Cause(Reason.DATA, Cell("images", "s"), content=str(event)),))


def waiting() -> CellState:
    cause = Cause(Reason.UPSTREAM, Cell("captions", "s"), count=1, total=1)
    return CellState(Status.STALE, (cause,))


def staleness(**states: Mapping[str, CellState]) -> Staleness:
    return Staleness({asset: {**of} for asset, of in states.items()})


def tick(
    stale: Staleness,
    tried: Mapping[str, Tried] | None = None,
    busy: Collection[Cell] = (),
    limit: int = 10,
    now: datetime = NOON,
    by_hand: Collection[Cell] = (),
) -> Wave:
    """A tick whose cursor goes through its text, as the daemon keeps it."""
    cursor = read_cursor(write_cursor(tried or {}))
    return next_wave(stale, cursor, busy, limit, now, by_hand)


def test_another_state_is_started_at_once() -> None:
    before = staleness(captions={"s": changed(5)}, scores={"s": waiting()})
    first = tick(before)
    assert first.work == {"captions": ["s"]}
    second = tick(before, first.tried)
    assert (second.work, second.given_up) == ({}, ())
    assert second.pausing == {Cell("captions", "s"): NOON + PAUSES[0]}
    third = tick(staleness(captions={"s": changed(6)}), second.tried)
    assert third.work == {"captions": ["s"]}


def test_what_became_fresh_is_forgotten_and_may_come_again() -> None:
    stale = staleness(captions={"s": changed(5)})
    first = tick(stale)
    fresh = tick(staleness(captions={"s": FRESH}), first.tried)
    assert fresh.tried == {}
    assert tick(stale, fresh.tried).work == {"captions": ["s"]}


def exhausted(state: CellState) -> tuple[Wave, datetime]:
    """Tick every hour for two days; each run makes the cell as stale as before."""
    stale, tried, now, started = staleness(captions={"s": state}), {}, NOON, 0
    for _ in range(48):
        wave = tick(stale, tried, now=now)
        tried, now, started = wave.tried, now + timedelta(hours=1), started + len(wave.work)
    assert started == TRIES == 3
    return wave, now


def test_failing_check_is_not_run_for_ever() -> None:
    """Each run stores new content, so the cell's own record cannot tell that nothing changed."""
    wave, _ = exhausted(CellState(Status.STALE, (Cause(Reason.CHECK, after="keys_unique"),)))
    assert wave.given_up == (Cell("captions", "s"),)


def test_a_cell_whose_runs_are_killed_each_time_is_given_up() -> None:
    """Such as one that takes all memory; each time the cause names another run."""
    tried: Mapping[str, Tried] = {}
    started = 0
    for number in range(30):
        cause = Cause(Reason.KILLED, after=f"run {number}")
        stale = staleness(captions={"s": CellState(Status.STALE, (cause,))})
        wave = tick(stale, tried, now=NOON + number * timedelta(hours=3))
        tried, started = wave.tried, started + len(wave.work)
    assert started == 3


def test_a_run_by_hand_clears_the_tries() -> None:
    wave, now = exhausted(changed(5))
    cell, stale = Cell("captions", "s"), staleness(captions={"s": changed(5)})
    assert given_up(stale, wave.tried) == [cell]
    again = tick(stale, wave.tried, now=now, by_hand=[cell])
    assert again.work == {"captions": ["s"]}
    assert again.tried[str(cell)].tries == 1
    assert given_up(stale, again.tried) == []


def test_a_cursor_of_an_earlier_version_counts_as_empty() -> None:
    assert read_cursor('{"captions[s]": "0123456789abcdef"}') == read_cursor(None) == {}


def test_busy_cells_are_left_and_remembered() -> None:
    stale = staleness(captions={"s": changed(5)})
    first = tick(stale)
    busy = tick(stale, first.tried, {Cell("captions", "s")}, now=NOON + timedelta(days=1))
    assert (busy.work, busy.given_up, busy.tried) == ({}, (), first.tried)


@pytest.mark.parametrize("limit", [1, 2])
def test_cap_puts_off_the_rest(limit: int) -> None:
    stale = staleness(captions={key: changed(5) for key in "abc"})
    wave = tick(stale, limit=limit)
    assert wave.work == {"captions": list("abc"[:limit])}
    assert wave.put_off == tuple(Cell("captions", key) for key in "abc"[limit:])
    assert set(wave.tried) == {f"captions[{key}]" for key in "abc"[:limit]}


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_no_state_is_started_too_often_while_it_lasts(ticks: list[list[int]], cap: int) -> None:
    """Four cells; at each tick each is fresh (0) or stale for one of three causes."""
    tried: Mapping[str, Tried] = {}
    lasting: dict[str, int] = {}
    started: dict[str, int] = {}
    for number, present in enumerate(ticks):
        states = {f"p{n}": changed(event) if event else FRESH for n, event in enumerate(present)}
        for key, event in zip(states, present, strict=True):
            if lasting.get(key) != event:
                started[key] = 0
            lasting[key] = event
        now = NOON + number * timedelta(hours=3)
        wave = tick(staleness(captions=states), tried, limit=cap, now=now)
        tried = wave.tried
        chosen = wave.work.get("captions", [])
        assert len(chosen) <= cap
        for key in chosen:
            assert key is not None
            started[key] += 1
            assert started[key] <= TRIES
