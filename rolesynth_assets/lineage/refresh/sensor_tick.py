"""What a sensor starts at one tick: what is due, waits for nothing, and was not tried before.

Each tick is one wave: partitions whose upstream is right. What hangs on them comes with a later
tick, if it is still stale then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rolesynth_assets.lineage.refresh.rematerialize import planned
from rolesynth_assets.lineage.staleness.causes import Cell, CellState, Reason
from rolesynth_assets.lineage.staleness.partition_groups import Key
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class Wave:
    """One tick's work.

    Attributes:
        work: partitions to start, by asset, upstream first.
        tried: what was started for which state, by cell; given back at the next tick.
        given_up: cells that were started for their present state and are still stale.
        put_off: cells that are due and did not fit under the cap.
    """

    work: Mapping[str, list[Key]]
    tried: Mapping[str, str]
    given_up: tuple[Cell, ...] = ()
    put_off: tuple[Cell, ...] = ()


def next_wave(
    staleness: Staleness, tried: Mapping[str, str], busy: Collection[Cell], limit: int
) -> Wave:
    """Choose what to start now.

    A cell is started once for each state of what makes it stale: one that fails, or whose check
    fails, is left alone until its code or its upstream changes, or somebody runs it by hand. So is
    one of which some still fails for a passing reason, however much of it.

    Args:
        staleness: what is missing, stale or fresh.
        tried: `Wave.tried` of the tick before.
        busy: cells that some run or backfill is making.
        limit: at most so many partitions.
    """
    work: dict[str, list[Key]] = {}
    still: dict[str, str] = {}
    given_up, put_off = [], []
    count = 0
    for asset, partitions in planned(staleness).items():
        for partition in partitions:
            cell = Cell(asset, partition)
            state = staleness.state(cell)
            before = tried.get(str(cell))
            if before is not None:
                still[str(cell)] = before
            if not state.due or state.waits or cell in busy:
                continue
            if before == (present := _digest(state)):
                given_up.append(cell)
            elif count == limit:
                put_off.append(cell)
            else:
                count += 1
                work.setdefault(asset, []).append(partition)
                still[str(cell)] = present
    return Wave(work, still, tuple(given_up), tuple(put_off))


def _digest(state: CellState) -> str:
    """Tell a state by what makes the cell stale, not by what was made of it since."""
    return digest(
        "stale",
        *(
            f"{cause.reason if cause.reason is Reason.PASSING else cause}"
            f"@{cause.events[1] if cause.events else ''}"
            for cause in state.causes
            if not cause.follows
        ),
    )[:16]
