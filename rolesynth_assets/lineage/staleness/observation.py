"""What people edit, looked at now: sources are compared with what was recorded of them last.

Nothing is recorded where nothing changed, and no run is needed for it, so looking every few minutes
costs no storage. Looking alone writes nothing at all.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import DATA_VERSION_TAG
from rolesynth_assets.lineage.staleness.event_log import EventLog
from rolesynth_assets.lineage.staleness.partition_groups import Key, Partitions

Versions = Mapping[dg.AssetKey, Mapping[Key, str]]


class ObservationError(RuntimeError):
    """A source cannot be looked at; the message names it and says why."""


@dataclass(frozen=True)
class Looked:
    """One look at all sources.

    Attributes:
        versions: data versions now, by source and partition, of the partitions that the graph has.
        changed: those of them that differ from the last recorded ones.
        new: partitions that the graph does not have yet, by source.
    """

    versions: Versions = field(default_factory=dict)
    changed: Versions = field(default_factory=dict)
    new: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def events(self) -> list[dg.AssetObservation]:
        """The observations to record."""
        return [
            dg.AssetObservation(asset_key=key, partition=at, tags={DATA_VERSION_TAG: version})
            for key, found in self.changed.items()
            for at, version in found.items()
        ]

    @property
    def reload(self) -> str:
        """Ask for a reload of the definitions where files are new; empty where none are."""
        if not self.new:
            return ""
        named = "; ".join(f"{source}: {', '.join(keys)}" for source, keys in self.new.items())
        return (
            f"New files have no partitions yet ({named}): reload the definitions (Deployment, "
            "Reload), or start `rolesynth ui` again."
        )


def look(repository: dg.RepositoryDefinition, instance: dg.DagsterInstance) -> Looked:
    """Look at every source that can be observed; nothing is written.

    Raises:
        ObservationError: a source cannot be read.
    """
    log = EventLog(instance)
    versions: dict[dg.AssetKey, dict[Key, str]] = {}
    changed: dict[dg.AssetKey, dict[Key, str]] = {}
    new: dict[str, tuple[str, ...]] = {}
    for source in _sources(repository):
        found = _observe(repository, source, instance)
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            known = Partitions(source.partitions_def)
        here = versions[source.key] = {at: found[at] for at in found if at in known}
        if len(here) < len(found):
            new[source.key.to_user_string()] = tuple(str(at) for at in found if at not in known)
        before = log.observed(source.key)
        if differs := {at: now for at, now in here.items() if before.get(at) != now}:
            changed[source.key] = differs
    return Looked(versions, changed, new)


def _sources(repository: dg.RepositoryDefinition) -> list[dg.SourceAsset]:
    known = repository.source_assets_by_key
    return [known[key] for key in sorted(known) if known[key].observe_fn is not None]


def _observe(
    repository: dg.RepositoryDefinition, source: dg.SourceAsset, instance: dg.DagsterInstance
) -> dict[Key, str]:
    observe: Any = source.observe_fn
    name = source.key.to_user_string()
    defined = repository.get_top_level_resources()
    needed = [given for given in inspect.signature(observe).parameters if given in defined]
    try:
        with dg.build_resources({key: defined[key] for key in needed}, instance) as built:
            answer = observe(**{key: getattr(built, key) for key in needed})
    except Exception as error:
        raise ObservationError(f"source {name} cannot be observed: {error}") from error
    if isinstance(answer, dg.DataVersionsByPartition):
        return {at: str(now.value) for at, now in answer.data_versions_by_partition.items()}
    return {None: answer.value}
