"""Observation of what people edit: sources are compared with what was recorded of them last.

Nothing is recorded where nothing changed, and no run is needed for it, so looking every few minutes
costs no storage. Looking alone changes no data; it notes what it
has read, to be faster the next time.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import DATA_VERSION_TAG
from rolesynth_assets.lineage.staleness.events.event_log import EventLog
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
    sources = _sources(repository)
    recorded = EventLog(instance).observed([source.key for source in sources])
    versions: dict[dg.AssetKey, dict[Key, str]] = {}
    changed: dict[dg.AssetKey, dict[Key, str]] = {}
    new: dict[str, tuple[str, ...]] = {}
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        partitions = {source.key: Partitions(source.partitions_def) for source in sources}
    for source, found in _observe(repository, sources, instance):
        known = partitions[source.key]
        here = versions[source.key] = {at: found[at] for at in found if at in known}
        if len(here) < len(found):
            new[source.key.to_user_string()] = tuple(str(at) for at in found if at not in known)
        before = recorded[source.key]
        if differs := {at: now for at, now in here.items() if before.get(at) != now}:
            changed[source.key] = differs
    return Looked(versions, changed, new)


def _sources(repository: dg.RepositoryDefinition) -> list[dg.SourceAsset]:
    known = repository.source_assets_by_key
    return [known[key] for key in sorted(known) if known[key].observe_fn is not None]


def _observe(
    repository: dg.RepositoryDefinition,
    sources: Sequence[dg.SourceAsset],
    instance: dg.DagsterInstance,
) -> Iterator[tuple[dg.SourceAsset, dict[Key, str]]]:
    """Yield each source with the data versions of its partitions now."""
    defined = repository.get_top_level_resources()
    asked: list[tuple[dg.SourceAsset, Any, list[str]]] = []
    for source in sources:
        observe: Any = source.observe_fn
        given = inspect.signature(observe).parameters
        asked.append((source, observe, [name for name in given if name in defined]))
    needed = {name for _, _, names in asked for name in names}
    with dg.build_resources({key: defined[key] for key in needed}, instance) as built:
        for source, observe, names in asked:
            try:
                answer = observe(**{name: getattr(built, name) for name in names})
            except Exception as error:
                name = source.key.to_user_string()
                raise ObservationError(f"source {name} cannot be observed: {error}") from error
            if isinstance(answer, dg.DataVersionsByPartition):
                found = answer.data_versions_by_partition
                yield source, {at: str(now.value) for at, now in found.items()}
            else:
                yield source, {None: answer.value}
