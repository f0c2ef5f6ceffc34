"""Bringing what is stale up to date: which partitions, in which order, and no others.

Assets are taken upstream first, and each is looked at anew when its turn comes: what was stale only
because of something upstream is left alone where that came out as before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.refresh.runner import Refresher, RefreshError
from rolesynth_assets.lineage.run_process.launcher import LONGEST, WHAT
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.partition_groups import Key
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets.mllm.cost.spent import Spent, SpentOn

Wanted = Callable[[Cell, Status], bool]


def stale_only(cell: Cell, status: Status) -> bool:
    """Want what is stale and nothing that was never made."""
    return status is Status.STALE


@dataclass(frozen=True)
class Limits:
    """When to stop; None is no limit.

    A partition is not begun if one more that costs as much as the dearest of its asset so far
    would exceed a cap. So the cap is exceeded by the difference between two partitions at most, or
    by the first partition of an asset.

    Attributes:
        partitions: partitions to make.
        calls: model calls.
        cost: money, in the currency of the project's prices.
        attempts: runs of one partition that fails.
    """

    partitions: int | None = None
    calls: int | None = None
    cost: float | None = None
    attempts: int = 1

    def reached(self, spent: Spent, next_one: Spent) -> str:
        """Say which cap ends the work; nothing while there is room for the next partition.

        Args:
            spent: of models so far.
            next_one: what the next partition may take.
        """
        if self.calls is not None and _full(spent.calls, next_one.calls, self.calls):
            about = f", one more partition takes {next_one.calls:,}" if next_one.calls else ""
            return f"{spent.calls:,} model calls were made, the cap is {self.calls:,}{about}"
        if self.cost is not None and _full(spent.cost, next_one.cost, self.cost):
            about = f", one more partition costs {next_one.cost:.2f}" if next_one.cost else ""
            return f"{spent.cost:.2f} was spent, the cap is {self.cost:.2f}{about}"
        return ""


def _full(spent: float, more: float, cap: float) -> bool:
    return spent >= cap or spent + more > cap


@dataclass
class Fixed:
    """What was done.

    Attributes:
        made: cells made, in order.
        failed: why cells failed, after their last attempt.
        submitted: cells whose batches are not answered yet, and what they wait for.
        left: cells that are still to be made, those that wait for a failed one among them.
        warnings: failed checks that only warn.
        spent_on: what models were asked by asset, for what failed in the end as well.
        ended: why it stopped early; empty if it did not.
    """

    made: list[Cell] = field(default_factory=list)
    failed: dict[Cell, str] = field(default_factory=dict)
    submitted: dict[Cell, str] = field(default_factory=dict)
    left: list[Cell] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    spent_on: SpentOn = field(default_factory=SpentOn)
    ended: str = ""

    @property
    def spent(self) -> Spent:
        """What models were asked in all."""
        return self.spent_on.all


def planned(
    staleness: Staleness, wanted: Wanted = stale_only, limit: int | None = None
) -> dict[str, list[Key]]:
    """List what would be made if all of it turned out to be needed: by asset, upstream first.

    Args:
        staleness: what is missing, stale or fresh.
        wanted: which stale and missing cells to make; what a stale one needs comes with it.
        limit: at most so many partitions.
    """
    plan: dict[str, list[Key]] = {}
    room = limit
    for asset, states in staleness.states.items():
        found = [
            partition
            for partition, state in states.items()
            if _chosen(staleness, Cell(asset, partition), state.status, wanted)
        ][:room]
        if found:
            plan[asset] = found
            room = None if room is None else room - len(found)
    return plan


def fix(
    refresher: Refresher,
    wanted: Wanted = stale_only,
    limits: Limits | None = None,
    started: Callable[[Cell, int, int], None] = lambda cell, done, total: None,
    tags: Mapping[str, str] | None = None,
    why: Callable[[Staleness, Cell], str] | None = None,
    done: Fixed | None = None,
    only: Collection[str] = (),
) -> Fixed:
    """Make what is wanted and due, one run a partition, until nothing is left.

    A partition that fails does not hold up others: only what is made from it alone waits, and
    whatever is made from content that did not pass a blocking check.

    Args:
        refresher: runs them.
        wanted: which stale and missing cells to make.
        limits: when to stop.
        started: called before each run with its cell and its place among the asset's partitions.
        tags: tags of all the runs, by which the UI lists them.
        why: says in a few words why a cell is made, for the name of its run.
        done: of a pass before, which is continued: what was made or failed in it is left alone.
        only: assets of this pass; all of them if empty.
    """
    why = why or (lambda staleness, cell: "")
    limits, done = limits or Limits(), done or Fixed()
    before = {*done.made, *done.failed}
    staleness = refresher.examine()
    for asset in staleness.states:
        if only and asset not in only:
            continue
        begun: set[Key] = set()
        dearest = Spent()
        while not done.ended:
            # again after those that other partitions of the same asset are made from
            due = [
                p
                for p in _due(staleness, asset, wanted)
                if p not in begun and Cell(asset, p) not in before
            ]
            if not due:
                break
            begun.update(due)
            named = {p: _named(tags or {}, why(staleness, Cell(asset, p))) for p in due}
            dearest = _make(refresher, asset, named, limits, done, started, dearest)
            staleness = refresher.examine()
    plan = planned(staleness, wanted)
    done.left = [
        cell
        for asset, partitions in plan.items()
        for cell in (Cell(asset, partition) for partition in partitions)
        if cell not in done.failed
    ]
    return done


def _due(staleness: Staleness, asset: str, wanted: Wanted) -> list[Key]:
    """List the partitions of an asset that are wanted, due, and wait for nothing."""
    return [
        partition
        for partition, state in staleness.states[asset].items()
        if state.due
        and not state.waits
        and _chosen(staleness, Cell(asset, partition), state.status, wanted)
    ]


def _make(
    refresher: Refresher,
    asset: str,
    due: Mapping[Key, Mapping[str, str]],
    limits: Limits,
    done: Fixed,
    started: Callable[[Cell, int, int], None],
    dearest: Spent,
) -> Spent:
    """Make the due partitions of an asset, each with the tags of its run.

    Takes and returns what the dearest of the asset's partitions took so far.
    """
    room = None if limits.partitions is None else limits.partitions - len(done.made)
    cells = [Cell(asset, partition) for partition in list(due)[:room]]
    if len(cells) < len(due):
        done.ended = f"at most {counted(limits.partitions or 0, 'partition')} to be made"
    for place, cell in enumerate(cells):
        if reached := limits.reached(done.spent, dearest):
            done.ended = reached
            break
        started(cell, place, len(cells))
        before = done.spent
        if not _attempt(refresher, cell, due[cell.partition], limits, done):
            break  # the asset's other partitions would fail for the same cause
        dearest = dearest.most(done.spent.since(before))
    return dearest


def _attempt(
    refresher: Refresher, cell: Cell, tags: Mapping[str, str], limits: Limits, done: Fixed
) -> bool:
    """Make a cell; return False if it failed for a cause that all of its asset's cells share."""
    shared = False
    for attempt in range(limits.attempts):
        if attempt and limits.reached(done.spent, Spent()):
            break
        try:
            made = refresher.make(cell, tags)
        except RefreshError as error:
            if error.open_batches:
                done.submitted[cell] = str(error)
                done.spent_on.add(cell.asset, error.spent)
                return True
            done.failed[cell] = str(error)
            done.spent_on.add(cell.asset, error.spent)
            shared = error.for_all
            continue
        done.failed.pop(cell, None)
        done.made.append(cell)
        done.spent_on.add(cell.asset, made.spent)
        done.warnings += made.warnings
        return True
    return not shared


def _named(tags: Mapping[str, str], why: str) -> dict[str, str]:
    what = ": ".join(filter(None, (tags.get(WHAT, ""), why)))
    return {**tags, **({WHAT: what[:LONGEST]} if what else {})}


def _chosen(staleness: Staleness, cell: Cell, status: Status, wanted: Wanted) -> bool:
    return status is not Status.FRESH and (wanted(cell, status) or cell in staleness.needed)
