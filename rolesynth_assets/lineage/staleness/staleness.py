"""Which partitions are missing, stale or fresh, transitively and for the whole graph at once.

Everything is derived from what Dagster records at a materialization: data versions, the upstream
events it had seen, code versions, blocking checks. Nothing is remembered beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import (
    BaseAssetGraph,
    CachingDynamicPartitionsLoader,
)
from rolesynth_assets.lineage.staleness.causes import Cause, Cell, CellState, Status
from rolesynth_assets.lineage.staleness.examine_assets import Examination
from rolesynth_assets.lineage.staleness.observation import Versions
from rolesynth_assets.lineage.staleness.partition_groups import SEPARATOR, Key


@dataclass(frozen=True)
class Staleness:
    """The state of every partition of every asset that can be made, upstream first.

    Attributes:
        states: by asset and partition.
        needed: missing cells that a stale one was made from.
        unusable: dynamic partitions whose key cannot be used, as definition and key; they are left
            out of `states`.
    """

    states: Mapping[str, Mapping[Key, CellState]]
    needed: frozenset[Cell] = field(default_factory=frozenset)
    unusable: tuple[tuple[str, str], ...] = ()

    @property
    def left_out(self) -> list[str]:
        """Say which partitions are left out and why."""
        return [
            f"{definition} {key!r} is left out: a key of two parts is written with "
            f"{SEPARATOR!r} between them, so none may hold it. Delete this partition in the UI "
            "and register the images under another name."
            for definition, key in self.unusable
        ]

    def state(self, cell: Cell) -> CellState:
        """Return a cell's state; a partitioned asset as a whole is stale if any partition is.

        Raises:
            KeyError: there is no such asset or partition.
        """
        states = self.states.get(cell.asset)
        if states is None:
            raise KeyError(f"no asset {cell.asset}; there are {', '.join(self.states)}")
        if cell.partition in states:
            return states[cell.partition]
        if cell.partition is not None:
            raise KeyError(f"{cell.asset} has no partition {cell.partition}")
        found = {state.status: state for state in states.values()}
        return found.get(Status.STALE) or found.get(Status.MISSING) or CellState(Status.FRESH)

    def counts(self) -> dict[str, Counter[Status]]:
        """Count partitions by asset and status."""
        return {
            asset: Counter(state.status for state in states.values())
            for asset, states in self.states.items()
        }

    def stale(self) -> Iterator[tuple[Cell, CellState]]:
        """Yield the stale cells, upstream first."""
        for asset, states in self.states.items():
            for partition, state in states.items():
                if state.status is Status.STALE:
                    yield Cell(asset, partition), state

    def roots(self, cell: Cell) -> list[tuple[Cell, Cause]]:
        """Follow upstream causes to where they begin.

        Returns:
            The cells that are stale by themselves, each with its causes; of many alike upstream
            cells the first is followed.
        """
        found: dict[tuple[Cell, Cause], None] = {}
        asked, seen = [cell], {cell}
        while asked:
            here = asked.pop(0)
            for cause in self.state(here).causes:
                if not cause.follows:
                    found[here, cause] = None
                elif cause.upstream and cause.upstream not in seen:
                    seen.add(cause.upstream)
                    asked.append(cause.upstream)
        return list(found)


def examine(
    graph: BaseAssetGraph,
    instance: dg.DagsterInstance,
    *,
    now: datetime | None = None,
    observed: Versions | None = None,
) -> Staleness:
    """Find for every partition of every asset whether it is missing, stale or fresh.

    Sources count as last observed, or as in `observed`: look at them first. Costs a few queries an
    asset and time linear in partitions and recorded events. Where 100 or more upstream partitions
    are read, Dagster does not record which, so a key that was *deleted* among them goes unseen.

    Args:
        graph: the asset graph of the code location.
        instance: where its runs are recorded.
        now: the time by which time partitions exist; by default the present.
        observed: data versions of sources that are not recorded yet.
    """
    with dg.partition_loading_context(now, CachingDynamicPartitionsLoader(instance)):
        examination = Examination(graph, instance, observed or {})
        for key in graph.toposorted_asset_keys:
            if graph.get(key).is_materializable:
                examination.examine(key)
        return Staleness(examination.states, frozenset(examination.needed), examination.unusable)
