"""How the state of each partition is found, asset by asset, upstream first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import BaseAssetGraph
from rolesynth_assets.lineage.run_process.dead_runs import killed_runs
from rolesynth_assets.lineage.staleness.causes import Cause, Cell, CellState, Reason, Status
from rolesynth_assets.lineage.staleness.events.event_log import EventLog
from rolesynth_assets.lineage.staleness.failed_checks import Unmet, barred
from rolesynth_assets.lineage.staleness.history import History, Provenance, Version
from rolesynth_assets.lineage.staleness.observation import Versions
from rolesynth_assets.lineage.staleness.partition_groups import (
    SEPARATOR,
    Dependency,
    Key,
    Partitions,
)
from rolesynth_assets.lineage.staleness.recorded_asset import RecordedAsset
from rolesynth_assets.lineage.staleness.stored_tables import StoredTables
from rolesynth_assets.lineage.staleness.upstream_changes import Inputs, Reading
from rolesynth_assets.settings import Settings

_FRESH, _MISSING = CellState(Status.FRESH), CellState(Status.MISSING)


class Examination:
    """One look at the whole graph; made inside a partition loading context.

    Attributes:
        states: by asset and partition, of the assets examined so far.
        needed: missing cells that a stale one was made from.
        unusable: dynamic partitions that are left out, as definition and key.
    """

    def __init__(
        self, graph: BaseAssetGraph, instance: dg.DagsterInstance, observed: Versions
    ) -> None:
        self.graph, self.log, self._observed = graph, EventLog(instance), observed
        self.states: dict[str, dict[Key, CellState]] = {}
        self.needed: set[Cell] = set()
        self._assets: dict[dg.AssetKey, RecordedAsset] = {}
        self._lost: dict[dg.AssetKey, dict[Key, Cause]] = {}
        self._stale: dict[dg.AssetKey, set[Key]] = {}
        self._of_use: dict[dg.AssetKey, set[Key]] = {}
        self._inputs: dict[dg.AssetKey, dict[str, tuple[dg.AssetKey, Inputs]]] = {}
        made = graph.materializable_asset_keys
        self._histories = self.log.histories(made, graph.get_all_asset_keys() - made)
        self._times = self.log.partition_times()
        self.unusable = tuple(
            (name, key) for name, keys in self._times.items() for key in keys if SEPARATOR in key
        )
        self._killed: dict[dg.AssetKey, dict[Key, Cause]] = {}
        self._begun = killed_runs(instance)
        self._find_killed()
        self._barred: dict[dg.AssetKey, dict[Key, Unmet]] = {}
        present = [key for key in made if self.asset(key).history.versions]
        for (key, partition), unmet in barred(graph, self.log, present, self._stored_at).items():
            self._barred.setdefault(key, {})[partition] = unmet

    def asset(self, key: dg.AssetKey) -> RecordedAsset:
        """Return an asset with what was recorded of it, read once."""
        if key not in self._assets:
            node = self.graph.get(key)
            history = self._histories[key]
            history.look(self._observed.get(key, {}))
            self._forget_lost(key, history)
            self._assets[key] = RecordedAsset(
                key.to_user_string(),
                Partitions(node.partitions_def),
                history,
                self._times,
                self.log.clock_until,
            )
        return self._assets[key]

    def _stored_at(self, key: dg.AssetKey, partition: Key) -> int:
        present = self.asset(key).history.latest(partition)
        return present.event if present else 0

    @cached_property
    def _tables(self) -> StoredTables:
        return StoredTables(Settings.load().data_root)

    def _forget_lost(self, key: dg.AssetKey, history: History) -> None:
        """Take what Dagster remembers and no table can hold any more as missing."""
        for partition, provenance in history.provenance.items():
            if partition in history.versions and any(provenance.stored):
                if why := self._tables.lost(provenance.stored):
                    history.forget(partition)
                    self._lost.setdefault(key, {})[partition] = Cause(Reason.LOST, after=why)

    def examine(self, key: dg.AssetKey) -> None:
        """Find the state of an asset's partitions; those of its upstream assets must be known."""
        asset = self.asset(key)
        inputs = self._inputs[key] = {
            parent.to_user_string(): (parent, self._read(key, parent))
            for parent in sorted(self.graph.get(key).parent_keys)
        }
        to_itself = inputs[asset.name][1] if asset.name in inputs else None
        stale = self._stale[key] = set()
        of_use = self._of_use[key] = set()
        killed = self._killed.get(key, {})
        states: dict[Key, CellState] = {}
        for partition in _parents_first(asset.partitions.keys, to_itself):
            present = asset.history.latest(partition)
            if present is None:
                waiting = tuple(self._missing_causes(key, partition, inputs))
                if partition in killed:  # it was begun, so it is to be made, however far it came
                    states[partition] = CellState(Status.STALE, (killed[partition], *waiting))
                    stale.add(partition)
                else:
                    states[partition] = CellState(Status.MISSING, waiting) if waiting else _MISSING
                continue
            provenance = asset.history.provenance[partition]
            causes = (
                *((killed[partition],) if partition in killed else ()),
                *self._own_causes(key, partition, present, provenance),
                *self._input_causes(partition, present, provenance, inputs),
            )
            state = states[partition] = CellState(Status.STALE, causes) if causes else _FRESH
            if causes:
                stale.add(partition)
                if state.of_use:
                    of_use.add(partition)
        self.states[asset.name] = {p: states[p] for p in asset.partitions.keys}

    def _read(self, key: dg.AssetKey, parent: dg.AssetKey) -> Inputs:
        below, above = self.asset(key), self.asset(parent)
        dependency = Dependency(
            self.graph,
            key,
            parent,
            below.partitions,
            above.partitions,
            above.history.versions.keys(),
        )
        return Inputs(dependency, above.name, above.history, above.added_again, below.made_by)

    def _find_killed(self) -> None:
        """Note the partitions that a killed run had begun and nobody has made since.

        What was made since and is lost counts as made: it is missing for that cause.
        """
        begun = self._begun
        for run, key, partition, planned in self.log.planned(begun) if begun else ():
            if key.to_python_identifier() not in begun[run] or not self.graph.has(key):
                continue
            asset = self.asset(key)
            made = asset.history.last_made(partition)
            if partition in asset.partitions and (made is None or made.event < planned):
                self._killed.setdefault(key, {})[partition] = Cause(Reason.KILLED, after=run)

    def _own_causes(
        self, key: dg.AssetKey, partition: Key, present: Version, provenance: Provenance
    ) -> Iterator[Cause]:
        if partition in self.asset(key).outdated_keys:
            yield Cause(Reason.ADDED_AGAIN)
        if unmet := self._barred.get(key, {}).get(partition):
            if unmet.evaluated:
                yield Cause(Reason.CHECK, after=unmet.check)
            elif present.run_id in self._begun:
                yield Cause(Reason.KILLED, after=present.run_id)
            else:
                yield Cause(Reason.UNCHECKED, after=unmet.check)
        before, now = provenance.code_version, self.graph.get(key).code_version
        if before is not None and now is not None and before != now:
            # an asset without code version is recorded under its run's id
            yield Cause(
                Reason.CODE, before="none" if before == present.run_id else before, after=now
            )
        if provenance.to_ask_again:
            yield Cause(Reason.PASSING, after=provenance.to_ask_again)

    def _input_causes(
        self,
        partition: Key,
        present: Version,
        provenance: Provenance,
        inputs: Mapping[str, tuple[dg.AssetKey, Inputs]],
    ) -> Iterator[Cause]:
        for name, (parent, above) in inputs.items():
            noted = provenance.inputs.get(name)
            if noted is None and provenance.code_version is not None:
                yield Cause(Reason.NEW_DEPENDENCY, Cell(name))
                continue
            event = noted.event if noted else provenance.read_at
            change = above.changed(partition, Reading(present.run_id, event, noted, present.event))
            if change:
                yield change
                if change.reason is Reason.WIPED:
                    self._need(parent, above.group(partition).present)
                    yield from above.absent(partition)
            yield from self._waiting(partition, parent, above)
        for name in sorted(provenance.inputs.keys() - inputs.keys()):
            yield Cause(Reason.OLD_DEPENDENCY, Cell(name))

    def _missing_causes(
        self, key: dg.AssetKey, partition: Key, inputs: Mapping[str, tuple[dg.AssetKey, Inputs]]
    ) -> Iterator[Cause]:
        if lost := self._lost.get(key, {}).get(partition):
            yield lost
        for parent, above in inputs.values():
            if self.graph.get(parent).is_materializable:
                yield from above.absent(partition)
            yield from self._waiting(partition, parent, above)

    def _waiting(self, partition: Key, parent: dg.AssetKey, above: Inputs) -> Iterator[Cause]:
        yield from above.waiting(
            partition,
            self._stale.get(parent, ()),
            self._barred.get(parent, ()),
            self._of_use.get(parent, ()),
        )

    def _need(self, key: dg.AssetKey, partitions: Sequence[Key]) -> None:
        """Note missing cells, and what they in turn are made from and lack."""
        asset = self.asset(key)
        for partition in partitions:
            cell = Cell(asset.name, partition)
            if key not in self._inputs or asset.history.latest(partition) or cell in self.needed:
                continue
            self.needed.add(cell)
            for parent, above in self._inputs[key].values():
                if above.absent(partition):
                    self._need(parent, above.group(partition).present)


def _parents_first(keys: Sequence[Key], to_itself: Inputs | None) -> Sequence[Key]:
    """Order an asset's partitions so that what depends on another of them comes after it."""
    if to_itself is None:
        return keys
    ordered: dict[Key, None] = {}
    for key in keys:
        open_keys = [key]
        while open_keys:
            here = open_keys[-1]
            waiting = [p for p in to_itself.group(here).present if p not in ordered]
            if here in ordered or not waiting:
                ordered[open_keys.pop()] = None
            else:
                open_keys += waiting
    return list(ordered)
