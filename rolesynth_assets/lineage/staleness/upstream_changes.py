"""What changed among the upstream partitions of one dependency, group by group."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from rolesynth_assets.lineage.staleness.causes import Cause, Cell, Reason
from rolesynth_assets.lineage.staleness.history import History, Input
from rolesynth_assets.lineage.staleness.partition_groups import Dependency, Group, Key
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.left_out import FORGOTTEN

Causes = tuple[Cause, ...]


@dataclass(frozen=True)
class Reading:
    """When and what a partition read of one upstream asset.

    Attributes:
        run_id: the run that made it; what the same run made upstream counts as read.
        event: storage id up to which upstream content was visible.
        noted: what Dagster noted of the upstream asset; None for events logged by hand.
        made: storage id of the event that recorded what was made.
    """

    run_id: str
    event: int
    noted: Input | None
    made: int


class Inputs:
    """The upstream side of one dependency.

    Partitions of a group are sorted by when they took on their present content: what a partition
    read after that is unchanged, so only later ones are looked at. Equal readings of a group are
    answered once.

    Args:
        dependency: which partitions belong together.
        asset: name of the upstream asset.
        history: its recorded versions.
        added_again: keys that were deleted and added again after their first version.
        made_by: partitions of the downstream asset that a run made.
    """

    def __init__(
        self,
        dependency: Dependency,
        asset: str,
        history: History,
        added_again: Collection[Key],
        made_by: Callable[[str], Sequence[Key]],
    ) -> None:
        self._dependency, self._asset, self._history = dependency, asset, history
        self._added_again, self._made_by = added_again, made_by
        self._recent: dict[Group, list[tuple[int, Key]]] = {}
        self._waiting: dict[Group, Causes] = {}
        self._absent: dict[Group, Causes] = {}
        self._doubtful: dict[Group, bool] = {}
        self._forgotten: dict[Group, int] = {}
        self._answers: dict[tuple[Group, int, str], Cause | None] = {}
        self._read_alike: dict[tuple[str, int], bool] = {}

    def group(self, partition: Key) -> Group:
        """Return the upstream partitions that a partition is made from."""
        return self._dependency.group(partition)

    def changed(self, partition: Key, reading: Reading) -> Cause | None:
        """Return what a partition would read otherwise today; None if nothing."""
        group = self.group(partition)
        asked = (group, reading.event, reading.run_id)
        if asked not in self._answers:
            self._answers[asked] = self._changed(group, reading)
        change = self._answers[asked]
        if change is None and group.gone and self._forgotten_at(group) > reading.made:
            return Cause(Reason.INPUTS, Cell(self._asset))
        return change

    def waiting(
        self,
        partition: Key,
        stale: Collection[Key],
        barred: Collection[Key],
        of_use: Collection[Key] = (),
    ) -> Causes:
        """Return what of a partition's upstream is not right by itself.

        Args:
            partition: the downstream partition.
            stale: all stale partitions of the upstream asset.
            barred: those of them that did not pass a blocking check.
            of_use: those of them that are only to be asked again.
        """
        if not stale and not barred:
            return ()
        group = self.group(partition)
        if group not in self._waiting:
            found: dict[Reason, list[Key]] = {}
            for key in group.present:
                if key in barred:
                    found.setdefault(Reason.BLOCKED, []).append(key)
                elif key in stale:
                    reason = Reason.UPSTREAM_PASSING if key in of_use else Reason.UPSTREAM
                    found.setdefault(reason, []).append(key)
            self._waiting[group] = tuple(
                Cause(reason, Cell(self._asset, keys[0]), count=len(keys), total=len(group.present))
                for reason in (Reason.BLOCKED, Reason.UPSTREAM, Reason.UPSTREAM_PASSING)
                if (keys := found.get(reason))
            )
        return self._waiting[group]

    def absent(self, partition: Key) -> Causes:
        """Return the cause if nothing of a partition's upstream was ever made."""
        group = self.group(partition)
        if group not in self._absent:
            made = any(key in self._history.versions for key in group.present)
            none = () if made or not group.present else (Cell(self._asset, group.present[0]),)
            self._absent[group] = tuple(Cause(Reason.ABSENT, cell) for cell in none)
        return self._absent[group]

    def _changed(self, group: Group, reading: Reading) -> Cause | None:
        first = self._history.first_event
        if reading.event and reading.noted and (first is None or first > reading.event):
            return (
                None if self._matches(reading, now=True) else Cause(Reason.WIPED, Cell(self._asset))
            )
        changed: list[tuple[Key, int]] = []
        for since, key in self._latest_first(group):
            if since <= reading.event:
                break
            seen = self._history.seen(key, reading.event, reading.run_id)
            present = self._history.versions[key][-1]
            if seen is present:
                continue
            identity = self._history.identity
            if seen is None or identity(key, seen) != identity(key, present):
                changed.append((key, seen.event if seen else 0))
        if changed:
            key, before = changed[-1]  # the one that changed first
            return Cause(
                Reason.DATA if before else Reason.NEW_INPUT,
                Cell(self._asset, key),
                count=len(changed),
                events=(before, self._history.versions[key][-1].event),
                content=digest(*(self._content(key) for key, _ in changed))[:16],
            )
        if reading.noted and self._is_doubtful(group) and not self._matches(reading, now=False):
            return Cause(Reason.INPUTS, Cell(self._asset))
        return None

    def _forgotten_at(self, group: Group) -> int:
        """Return the last event that says that a partition of a group was forgotten; 0 if none.

        It shows what Dagster does not note where 100 or more partitions are read.
        """
        if group not in self._forgotten:
            last = (self._history.latest(key) for key in group.gone)
            self._forgotten[group] = max(
                (version.event for version in last if version and version.value == FORGOTTEN),
                default=0,
            )
        return self._forgotten[group]

    def _content(self, key: Key) -> str:
        return f"{key}={self._history.identity(key, self._history.versions[key][-1])}"

    def _latest_first(self, group: Group) -> list[tuple[int, Key]]:
        if group not in self._recent:
            since = self._history.unchanged_since
            held = [(since(k), k) for k in group.present if k in self._history.versions]
            self._recent[group] = sorted(held, key=lambda entry: -entry[0])
        return self._recent[group]

    def _is_doubtful(self, group: Group) -> bool:
        """Return whether upstream keys may have come or gone without an event that says so."""
        if group not in self._doubtful:
            # of observed partitions Dagster notes nothing to compare with
            self._doubtful[group] = not self._history.observed and (
                bool(group.gone) or any(key in self._added_again for key in group.present)
            )
        return self._doubtful[group]

    def _matches(self, reading: Reading, *, now: bool) -> bool:
        """Return whether the upstream keys of today are those that were read.

        Dagster notes a hash over the data versions of all upstream partitions of the run. From 100
        partitions on it notes the latest version alone, which shows nothing: then it counts as a
        match.
        """
        assert reading.noted
        asked = (reading.run_id, reading.event)
        if asked not in self._read_alike:
            self._read_alike[asked] = self._compare(reading, reading.noted.value, now)
        return self._read_alike[asked]

    def _compare(self, reading: Reading, noted: str, now: bool) -> bool:
        groups = {self.group(partition) for partition in self._made_by(reading.run_id)}
        versions: dict[Key, str] = {}
        for key in {key for group in groups for key in group.present}:
            if now and (latest := self._history.latest(key)):
                versions[key] = self._history.identity(key, latest)
            elif not now and (seen := self._history.seen(key, reading.event, reading.run_id)):
                if seen.value is not None:
                    versions[key] = seen.value
        if None in versions:
            return versions[None] == noted
        if (reading.event, noted) in self._history.recorded:
            return True
        hashed = sha256("".join(versions[key] for key in sorted(versions, key=str)).encode())
        return hashed.hexdigest() == noted
