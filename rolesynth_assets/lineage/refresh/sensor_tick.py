"""What a sensor starts at one tick: what is due, waits for nothing, and has tries left.

Each tick is one wave: partitions whose upstream is right. What is made from them comes with a later
tick, if it is still stale then.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from rolesynth_assets.lineage.refresh.rematerialize import planned
from rolesynth_assets.lineage.staleness.causes import Cell, CellState, Reason
from rolesynth_assets.lineage.staleness.partition_groups import Key
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets.store.digests import digest

PAUSES = (timedelta(minutes=10), timedelta(hours=2))
"""Least time after the first and after the second try of the same state."""
TRIES = len(PAUSES) + 1
"""Tries of the same state before it is given up."""
_BY_KIND = {Reason.PASSING, Reason.KILLED}
"""Causes that name a count or a run, which differs after each try."""


@dataclass(frozen=True)
class Tried:
    """What was started for a cell.

    Attributes:
        state: digest of what made it stale.
        tries: how often it was started for that.
        at: the last time, ISO 8601 with its time zone.
    """

    state: str
    tries: int
    at: str

    @property
    def given_up(self) -> bool:
        """Whether it is not started again for the same state."""
        return self.tries >= TRIES

    @property
    def since(self) -> datetime:
        """When it was started last."""
        return datetime.fromisoformat(self.at)

    @property
    def again(self) -> datetime:
        """When it may be started again, unless it is given up."""
        return self.since + PAUSES[min(self.tries, len(PAUSES)) - 1]


@dataclass(frozen=True)
class Wave:
    """One tick's work.

    Attributes:
        work: partitions to start, by asset, upstream first.
        tried: what was started for which state, by cell; given back at the next tick.
        given_up: cells that were started `TRIES` times for their present state and are still stale.
        pausing: cells that are to be tried again, each with the time from which on.
        put_off: cells that are due and did not fit under the cap.
    """

    work: Mapping[str, list[Key]]
    tried: Mapping[str, Tried]
    given_up: tuple[Cell, ...] = ()
    pausing: Mapping[Cell, datetime] = field(default_factory=dict)
    put_off: tuple[Cell, ...] = ()


def read_cursor(text: str | None) -> dict[str, Tried]:
    """Return what a cursor holds; one that an earlier version wrote counts as empty."""
    found = json.loads(text) if text else {}
    return {cell: Tried(**of) for cell, of in found.items() if isinstance(of, dict)}


def write_cursor(tried: Mapping[str, Tried]) -> str:
    """Return a cursor for the next tick; equal contents give equal texts."""
    return json.dumps({cell: asdict(of) for cell, of in sorted(tried.items())})


def next_wave(
    staleness: Staleness,
    tried: Mapping[str, Tried],
    busy: Collection[Cell],
    limit: int,
    now: datetime,
    by_hand: Collection[Cell] = (),
) -> Wave:
    """Choose what to start now.

    A cell is started `TRIES` times at most for each state of what makes it stale, with growing
    pauses. One that fails, or whose check fails, or of which some still fails for a transient
    reason, is then left alone until its code or its upstream changes, or somebody runs it by hand.

    Args:
        staleness: what is missing, stale or fresh.
        tried: `Wave.tried` of the tick before.
        busy: cells that some run or backfill is making.
        limit: at most so many partitions.
        now: the present, with its time zone.
        by_hand: cells that somebody ran since they were given up: they are tried anew.
    """
    work: dict[str, list[Key]] = {}
    still: dict[str, Tried] = {}
    given_up, put_off, pausing = [], [], {}
    count = 0
    for asset, partitions in planned(staleness).items():
        for partition in partitions:
            cell = Cell(asset, partition)
            state = staleness.state(cell)
            before = tried.get(str(cell))
            if before is not None and cell in by_hand:
                before = None
            if before is not None:
                still[str(cell)] = before
            if not state.due or state.waits or cell in busy:
                continue
            tries = before.tries if before and before.state == _digest(state) else 0
            if before and tries and before.given_up:
                given_up.append(cell)
            elif before and tries and now < before.again:
                pausing[cell] = before.again
            elif count == limit:
                put_off.append(cell)
            else:
                count += 1
                work.setdefault(asset, []).append(partition)
                still[str(cell)] = Tried(_digest(state), tries + 1, now.isoformat())
    return Wave(work, still, tuple(given_up), pausing, tuple(put_off))


def given_up(staleness: Staleness, tried: Mapping[str, Tried]) -> list[Cell]:
    """Return the stale cells that the sensor has given up, by what its cursor says."""
    return [
        cell
        for cell, state in staleness.stale()
        if (of := tried.get(str(cell))) and of.given_up and of.state == _digest(state)
    ]


def _digest(state: CellState) -> str:
    """Return a digest of what makes the cell stale, whatever was made of it since."""
    return digest(
        "stale",
        *(
            f"{cause.reason if cause.reason in _BY_KIND else cause}@{cause.content}"
            for cause in state.causes
            if not cause.follows
        ),
    )[:16]
