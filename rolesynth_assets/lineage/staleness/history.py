"""What was recorded of an asset: the versions of its partitions and what they were made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

from rolesynth_assets.lineage.staleness.stored_tables import NOWHERE, Stored

NOT_YET = 2**62
"""Number of an event that is not recorded yet: it comes after all others."""


class Version(NamedTuple):
    """One recorded content of a partition; `value` is None where no data version was recorded."""

    event: int
    run_id: str
    value: str | None
    at: datetime | None


class Input(NamedTuple):
    """What a partition was made from: the data version and event that Dagster noted of an asset."""

    value: str
    event: int


@dataclass(frozen=True)
class Provenance:
    """What Dagster noted when a partition's present content was made.

    Attributes:
        code_version: None where nothing was noted, as for events that an asset logs by hand.
        inputs: by asset; empty where nothing was noted.
        read_at: storage id up to which upstream content was visible, where `inputs` lacks it.
        content_version: whether the asset gave its data version, so that it identifies the content.
        to_ask_again: what of it failed for a transient reason, such as "47 rows".
        stored: where its content is.
    """

    code_version: str | None
    inputs: Mapping[str, Input]
    read_at: int
    content_version: bool
    to_ask_again: str = ""
    stored: Stored = NOWHERE


@dataclass
class History:
    """All recorded versions of an asset's partitions, oldest first, and the latest's provenance.

    Attributes:
        versions: by partition.
        provenance: of the latest versions, for an asset that is made.
        first_event: the oldest event there is.
        observed: whether the versions were observed, not made.
        lost: versions of partitions whose content is lost; Dagster counts them as there.
    """

    versions: dict[str | None, list[Version]] = field(default_factory=dict)
    provenance: dict[str | None, Provenance] = field(default_factory=dict)
    first_event: int | None = None
    observed: bool = False
    lost: dict[str | None, list[Version]] = field(default_factory=dict)

    def look(self, versions: Mapping[str | None, str]) -> None:
        """Add what was observed now and is not recorded yet, as the latest event there is."""
        if self.versions and not self.observed:
            return  # Dagster's provenance points to what was made, where there is any
        for partition, value in versions.items():
            latest = self.latest(partition)
            if latest is None or latest.value != value:
                self.observed = True
                self.versions.setdefault(partition, []).append(Version(NOT_YET, "", value, None))

    def forget(self, partition: str | None) -> None:
        """Take a partition whose content is lost as never made."""
        self.lost[partition] = self.versions.pop(partition, [])

    def latest(self, partition: str | None) -> Version | None:
        """Return the present version of a partition, if it has any."""
        found = self.versions.get(partition)
        return found[-1] if found else None

    def last_made(self, partition: str | None) -> Version | None:
        """Return the last version of a partition, also where its content is lost."""
        return self.latest(partition) or next(reversed(self.lost.get(partition, ())), None)

    def seen(self, partition: str | None, event: int, run_id: str) -> Version | None:
        """Return the version a run saw that read up to `event`, or that it had made itself.

        Events that were reported without a run have none in common.
        """
        found = self.versions.get(partition) or self.lost.get(partition, ())
        for version in reversed(found):
            if version.event <= event or (run_id and version.run_id == run_id):
                return version
        return None

    @cached_property
    def recorded(self) -> frozenset[tuple[int, str | None]]:
        """All events with their data version."""
        every = (*self.versions.values(), *self.lost.values())
        return frozenset((v.event, v.value) for found in every for v in found)

    def identity(self, partition: str | None, version: Version) -> str:
        """Identify a version's content: equal texts are equal content.

        A version that Dagster computed says nothing of content, so it differs from every other.
        """
        latest = version is self.versions[partition][-1]
        known = self.provenance.get(partition)
        if version.value is None or (latest and known and not known.content_version):
            return f"event {version.event}"
        return version.value

    def unchanged_since(self, partition: str | None) -> int:
        """Return the first event from which on the partition has held its present content."""
        found = self.versions[partition]
        present = self.identity(partition, found[-1])
        since = found[-1].event
        for version in reversed(found[:-1]):
            if version.value != present:
                break
            since = version.event
        return since
