from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.lineage.refresh.sensor_tick import next_wave
from rolesynth_assets.lineage.staleness.causes import Cause, Cell, CellState, Reason, Status
from rolesynth_assets.lineage.staleness.staleness import Staleness

FRESH = CellState(Status.FRESH)


def changed(event: int) -> CellState:
    return CellState(Status.STALE, (Cause(Reason.DATA, Cell("images", "s"), events=(1, event)),))


def waiting() -> CellState:
    cause = Cause(Reason.UPSTREAM, Cell("captions", "s"), count=1, total=1)
    return CellState(Status.STALE, (cause,))


def staleness(**states: Mapping[str, CellState]) -> Staleness:
    return Staleness({asset: {**of} for asset, of in states.items()})


def test_each_state_is_started_once() -> None:
    before = staleness(captions={"s": changed(5)}, scores={"s": waiting()})
    first = next_wave(before, {}, set(), 10)
    assert first.work == {"captions": ["s"]}
    second = next_wave(before, first.tried, set(), 10)
    assert (second.work, second.given_up) == ({}, (Cell("captions", "s"),))
    third = next_wave(staleness(captions={"s": changed(6)}), second.tried, set(), 10)
    assert third.work == {"captions": ["s"]}


def test_what_became_fresh_is_forgotten_and_may_come_again() -> None:
    stale = staleness(captions={"s": changed(5)})
    first = next_wave(stale, {}, set(), 10)
    fresh = next_wave(staleness(captions={"s": FRESH}), first.tried, set(), 10)
    assert fresh.tried == {}
    assert next_wave(stale, fresh.tried, set(), 10).work == {"captions": ["s"]}


def test_failing_check_is_not_run_for_ever() -> None:
    """Each run stores new content, so the cell's own record cannot tell that nothing changed."""
    barred = CellState(Status.STALE, (Cause(Reason.CHECK, after="keys_unique"),))
    wave = next_wave(staleness(captions={"s": barred}), {}, set(), 10)
    assert wave.work
    for _ in range(3):
        wave = next_wave(staleness(captions={"s": barred}), wave.tried, set(), 10)
        assert not wave.work


def test_busy_cells_are_left_and_remembered() -> None:
    stale = staleness(captions={"s": changed(5)})
    first = next_wave(stale, {}, set(), 10)
    busy = next_wave(stale, first.tried, {Cell("captions", "s")}, 10)
    assert (busy.work, busy.given_up, busy.tried) == ({}, (), first.tried)


@pytest.mark.parametrize("limit", [1, 2])
def test_cap_puts_off_the_rest(limit: int) -> None:
    stale = staleness(captions={key: changed(5) for key in "abc"})
    wave = next_wave(stale, {}, set(), limit)
    assert wave.work == {"captions": list("abc"[:limit])}
    assert wave.put_off == tuple(Cell("captions", key) for key in "abc"[limit:])
    assert set(wave.tried) == {f"captions[{key}]" for key in "abc"[:limit]}


@given(
    st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=8),
    st.integers(1, 4),
)
def test_no_state_is_ever_started_twice_while_it_lasts(ticks: list[list[int]], cap: int) -> None:
    """Four cells; at each tick each is fresh (0) or stale for one of three causes."""
    tried: Mapping[str, str] = {}
    lasting: dict[str, int] = {}
    started: dict[str, int] = {}
    for tick in ticks:
        states = {f"p{n}": changed(event) if event else FRESH for n, event in enumerate(tick)}
        for key, event in zip(states, tick, strict=True):
            if lasting.get(key) != event:
                started[key] = 0
            lasting[key] = event
        wave = next_wave(staleness(captions=states), tried, set(), cap)
        tried = wave.tried
        chosen = wave.work.get("captions", [])
        assert len(chosen) <= cap
        for key in chosen:
            assert key is not None
            started[key] += 1
            assert started[key] == 1
