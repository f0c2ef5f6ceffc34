"""An asset with its partitions and all that was recorded of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import dagster as dg

from rolesynth_assets.lineage.staleness.history import History
from rolesynth_assets.lineage.staleness.partition_groups import Key, Partitions


@dataclass
class RecordedAsset:
    """What staleness needs of an asset.

    Attributes:
        name: its key, as text.
        partitions: its keys.
        history: what was made of it.
        times: when dynamic partitions were added, by definition and key, UTC.
        clock_until: latest time that was recorded up to each of some events, UTC.
    """

    name: str
    partitions: Partitions
    history: History
    times: Mapping[str, Mapping[str, datetime]]
    clock_until: Callable[[Collection[int]], Mapping[int, datetime]]

    @cached_property
    def _made_by(self) -> Mapping[str, Sequence[Key]]:
        made: dict[str, list[Key]] = {}
        for partition, versions in self.history.versions.items():
            for version in versions:
                made.setdefault(version.run_id, []).append(partition)
        return made

    def made_by(self, run_id: str) -> Sequence[Key]:
        """Return the partitions that a run made, those whose key is gone left out."""
        return [key for key in self._made_by.get(run_id, ()) if key in self.partitions]

    @cached_property
    def added_again(self) -> Collection[Key]:
        """Keys that were added after their first version was made."""
        return self._added_after(0)

    @cached_property
    def outdated_keys(self) -> Collection[Key]:
        """Keys that were added after their present version was made."""
        return self._added_after(-1)

    def _added_after(self, place: int) -> set[Key]:
        dynamic = [
            (self.times.get(definition.name or "", {}), at)
            for definition, at in map(self.partitions.dimension, self.partitions.names)
            if isinstance(definition, dg.DynamicPartitionsDefinition)
        ]
        found: dict[Key, tuple[datetime, int]] = {}
        for times, at in dynamic:
            for key, versions in self.history.versions.items():
                values, made = self.partitions.values(key), versions[place]
                added = times.get(values[at]) if values else None
                if added and made.at and added > made.at:
                    found[key] = (max(added, found.get(key, (added, 0))[0]), made.event)
        # a version may bear an earlier time because a clock was set back in between
        clock = self.clock_until({event for _, event in found.values()})
        return {key for key, (added, event) in found.items() if added > clock[event]}
