"""Reading Dagster's event log in bulk: every version of every partition, and what it came from.

Dagster's own resolver asks the storage once a partition and dependency; here it is a few queries
an asset, whatever its partitions. It works on every storage that keeps its events in SQL tables.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as sql

from rolesynth_assets.lineage.dagster_internals import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
    NULL_EVENT_POINTER,
    AssetCheckExecutionRecordStatus,
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    DynamicPartitionsTable,
    SqlEventLogStorage,
    SqlEventLogStorageTable,
    last_wipe,
)
from rolesynth_assets.lineage.staleness.history import History, Input, Provenance, Version
from rolesynth_assets.lineage.staleness.passing_failures import to_ask_again
from rolesynth_assets.lineage.staleness.stored_tables import Stored

ATTEMPTS = 50
"""Runs of one partition that are looked at, latest first."""
_EVENTS = SqlEventLogStorageTable.c
_TAGS = AssetEventTagsTable.c
_MATERIALIZED = dg.DagsterEventType.ASSET_MATERIALIZATION.value
_OBSERVED = dg.DagsterEventType.ASSET_OBSERVATION.value
_WIPED = dg.DagsterEventType.ASSET_WIPED.value
_PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value


class CheckRecord(NamedTuple):
    """What was recorded last of a check for a partition.

    Attributes:
        key: asset and name of the check.
        partition: the partition.
        status: whether it passed, failed, or was only planned.
        event: the record's number in the event log.
    """

    key: dg.AssetCheckKey
    partition: str | None
    status: AssetCheckExecutionRecordStatus
    event: int


class EventLog:
    """The event log of an instance.

    Raises:
        TypeError: the instance keeps its events elsewhere than in SQL tables.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        storage = instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            raise TypeError(
                f"staleness reads Dagster's SQL tables, and {type(storage).__name__} has none; "
                "use SQLite, Postgres or MySQL storage (dagster.yaml)"
            )
        self._storage = storage
        self._clock: dict[int, datetime] = {}

    def history(self, key: dg.AssetKey, *, source: bool) -> History:
        """Read all versions of an asset's partitions.

        Args:
            key: the asset.
            source: whether it is observed, not made: then observations count, unless there are
                materializations (Dagster's provenance points to those alone where there are any).
        """
        with self._connected() as log:  # opening one costs more than a query
            wiped = log.since_wiped(key)
            made = log.versions(key, _MATERIALIZED, wiped)
            if source and not made.versions:
                observed = log.versions(key, _OBSERVED, wiped)
                observed.observed = True
                return observed
            if not source:
                made.provenance = log.provenance(key, made)
            return made

    def observed(self, key: dg.AssetKey) -> dict[str | None, str]:
        """Return the data version that was observed last of each partition of a source."""
        with self._connected() as log:
            found = log.versions(key, _OBSERVED, log.since_wiped(key)).versions
        return {partition: str(versions[-1].value) for partition, versions in found.items()}

    def partition_times(self) -> dict[str, dict[str, datetime]]:
        """Return when each dynamic partition was added, by partitions definition and key, UTC."""
        table = DynamicPartitionsTable.c
        times: dict[str, dict[str, datetime]] = {}
        with self._connected() as log:
            added = table.create_timestamp
            if log.connection.dialect.name == "postgresql":
                # filled by the server, in its own time zone; Dagster sends all other times in UTC
                added = sql.func.timezone("UTC", sql.cast(added, sql.DateTime(timezone=True)))
            query = sql.select(table.partitions_def_name, table.partition, added)
            for name, partition, at in log.rows(query):
                times.setdefault(name, {})[partition] = at
        return times

    def planned(self, runs: Collection[str]) -> Iterator[tuple[str, dg.AssetKey, str | None, int]]:
        """Yield run, asset, partition and event of what some runs set out to make."""
        query = (
            sql.select(_EVENTS.run_id, _EVENTS.asset_key, _EVENTS.partition, _EVENTS.id)
            .where(_EVENTS.run_id.in_(runs), _EVENTS.dagster_event_type == _PLANNED)
            .order_by(_EVENTS.id)
        )
        with self._connected() as log:
            rows = log.rows(query)
        for run, asset, partition, event in rows:
            if (key := dg.AssetKey.from_db_string(asset)) is not None:
                yield run, key, partition, event

    def metadata(self, key: dg.AssetKey) -> Iterator[dict[str, Any]]:
        """Yield the texts and numbers in the metadata of each materialization there ever was."""
        query = (
            sql.select(_EVENTS.event)
            .where(_EVENTS.asset_key == key.to_string())
            .where(_EVENTS.dagster_event_type == _MATERIALIZED)
            .execution_options(yield_per=100)  # an event may hold pictures
        )
        with self._connected() as log:
            for (text,) in log.connection.execute(query):
                data = json.loads(text)["dagster_event"]["event_specific_data"]
                yield _plain(data["materialization"])

    def mentioning(
        self, text: str
    ) -> Iterator[tuple[dg.AssetKey, str | None, str, Mapping[str, Any]]]:
        """Yield events that hold a text, or whose run's id begins with it, latest first.

        Returns:
            Asset, partition, run, and the materialization or observation as it is stored.
        """
        query = (
            sql.select(_EVENTS.asset_key, _EVENTS.partition, _EVENTS.run_id, _EVENTS.event)
            .where(_EVENTS.dagster_event_type.in_((_MATERIALIZED, _OBSERVED)))
            .where(
                _EVENTS.event.contains(text, autoescape=True)
                | _EVENTS.run_id.startswith(text, autoescape=True)
            )
            .order_by(_EVENTS.id.desc())
            .execution_options(yield_per=100)  # an event may hold pictures
        )
        with self._connected() as log:
            for asset, partition, run, event in log.connection.execute(query):
                data = json.loads(event)["dagster_event"]["event_specific_data"]
                made = data.get("materialization") or data["asset_observation"]
                if (key := dg.AssetKey.from_db_string(asset)) is not None:
                    yield key, partition, run, made

    def unpassed_checks(self, name: str | None = None) -> Iterator[CheckRecord]:
        """Yield the latest record of each check and partition, of those that did not pass.

        Args:
            name: only of checks with this name.
        """
        table = AssetCheckExecutionsTable.c
        latest = sql.select(sql.func.max(table.id))
        if name is not None:
            latest = latest.where(table.check_name == name)
        latest = latest.group_by(table.asset_key, table.check_name, table.partition)
        query = sql.select(
            table.asset_key,
            table.check_name,
            table.partition,
            table.execution_status,
            table.evaluation_event_storage_id,
        ).where(
            table.id.in_(latest),
            table.execution_status != AssetCheckExecutionRecordStatus.SUCCEEDED.value,
        )
        with self._connected() as log:
            rows = log.rows(query)
        for asset, check, partition, status, event in rows:
            if (key := dg.AssetKey.from_db_string(asset)) is not None:
                found = AssetCheckExecutionRecordStatus(status)
                yield CheckRecord(dg.AssetCheckKey(key, check), partition, found, event or 0)

    def forget_runless_check(self, key: dg.AssetCheckKey, partitions: Collection[str]) -> None:
        """Remove what was recorded of a check without a run, so that it can be recorded again.

        Dagster 1.13 keeps one such record for each partition and fails at a second one.
        """
        table = AssetCheckExecutionsTable
        old = table.delete().where(
            table.c.asset_key == key.asset_key.to_string(),
            table.c.check_name == key.name,
            table.c.run_id == "",
            table.c.partition.in_(partitions),
        )
        with self._storage.index_connection() as connection:
            connection.execute(old)

    def attempts(self, key: dg.AssetKey, partition: str | None) -> list[tuple[str, datetime]]:
        """Return the runs that set out to make a partition, with the time (UTC), latest first."""
        query = (
            sql.select(_EVENTS.run_id, _EVENTS.timestamp)
            .where(_EVENTS.asset_key == key.to_string(), _EVENTS.dagster_event_type == _PLANNED)
            .where(
                _EVENTS.partition.is_(None) if partition is None else _EVENTS.partition == partition
            )
            .order_by(_EVENTS.id.desc())
            .limit(ATTEMPTS)
        )
        with self._connected() as log:
            return [(run, at.replace(tzinfo=UTC)) for run, at in log.rows(query)]

    def clock_until(self, events: Collection[int]) -> dict[int, datetime]:
        """Return the latest time that was recorded up to each event, and perhaps to more, UTC.

        Events are numbered in the order in which they were recorded. Their own times may go back
        where somebody set a clock, this one never does.
        """
        if set(events) <= self._clock.keys():
            return self._clock
        latest, before = datetime.min, 0
        with self._connected() as log:
            for event in sorted(events):
                query = sql.select(sql.func.max(_EVENTS.timestamp))
                ((at,),) = log.rows(query.where(_EVENTS.id > before, _EVENTS.id <= event))
                latest, before = max(latest, at or datetime.min), event
                self._clock[event] = latest
        return self._clock

    @contextmanager
    def _connected(self) -> Iterator[_Connected]:
        with self._storage.index_connection() as connection:
            yield _Connected(connection)


@dataclass(frozen=True)
class _Connected:
    """Queries over one connection; the storage must not be asked for anything else meanwhile."""

    connection: sql.Connection

    def rows(self, query: sql.Select) -> Sequence[sql.Row]:
        return self.connection.execute(query).fetchall()

    def since_wiped(self, key: dg.AssetKey) -> sql.ColumnElement[bool] | None:
        """Return what holds for events after the asset's last wipe; None if it never was wiped."""
        table = AssetKeyTable.c
        query = sql.select(table.asset_details).where(table.asset_key == key.to_string())
        for (details,) in self.rows(query):
            wiped = details and last_wipe(details)
            if not wiped:
                return None
            noted = sql.select(sql.func.max(_EVENTS.id)).where(
                _EVENTS.asset_key == key.to_string(), _EVENTS.dagster_event_type == _WIPED
            )
            ((event,),) = self.rows(noted)
            if event is not None:  # by number, for a clock may be set back
                return _EVENTS.id > event
            return _EVENTS.timestamp > datetime.fromtimestamp(wiped, UTC).replace(tzinfo=None)
        return None

    def versions(
        self, key: dg.AssetKey, kind: str, wiped: sql.ColumnElement[bool] | None
    ) -> History:
        tagged = sql.and_(_TAGS.event_id == _EVENTS.id, _TAGS.key == DATA_VERSION_TAG)
        query = (
            sql.select(
                _EVENTS.id, _EVENTS.partition, _EVENTS.run_id, _TAGS.value, _TAGS.event_timestamp
            )
            .select_from(
                SqlEventLogStorageTable.join(AssetEventTagsTable, tagged, isouter=kind != _OBSERVED)
            )
            .where(_EVENTS.asset_key == key.to_string(), _EVENTS.dagster_event_type == kind)
            .order_by(_EVENTS.id)
        )
        if wiped is not None:
            query = query.where(wiped)
        history = History()
        for event, partition, run_id, value, at in self.rows(query):
            history.first_event = history.first_event or event
            history.versions.setdefault(partition, []).append(Version(event, run_id, value, at))
        return history

    def provenance(self, key: dg.AssetKey, history: History) -> dict[str | None, Provenance]:
        planned = None
        found: dict[str | None, Provenance] = {}
        last = max((found[-1].event for found in history.versions.values()), default=0)
        for event, partition, tags, stored in self._latest_told(key, last):
            version = history.latest(partition)
            if version is None:
                continue  # wiped
            if CODE_VERSION_TAG in tags:
                found[partition] = _noted(tags, event, stored)
                continue
            planned = self._planned(key) if planned is None else planned
            read_at = planned.get(version.run_id, event)
            by_hand = DATA_VERSION_TAG in tags
            again = to_ask_again(tags)
            found[partition] = Provenance(None, {}, read_at, by_hand, again, stored)
        return found

    def _latest_told(
        self, key: dg.AssetKey, last: int
    ) -> Iterator[tuple[int, str | None, dict[str, str], Stored]]:
        latest = (
            sql.select(sql.func.max(_EVENTS.id))
            .where(_EVENTS.asset_key == key.to_string())
            .where(_EVENTS.dagster_event_type == _MATERIALIZED, _EVENTS.id <= last)
            .group_by(_EVENTS.partition)
        )
        query = sql.select(_EVENTS.id, _EVENTS.partition, _EVENTS.event)
        for event, partition, text in self.rows(query.where(_EVENTS.id.in_(latest))):
            data = json.loads(text)["dagster_event"]["event_specific_data"]
            made = data["materialization"]
            yield event, partition, made["tags"] or {}, Stored.recorded(_plain(made))

    def _planned(self, key: dg.AssetKey) -> dict[str, int]:
        """Return the first event of each run that set out to make the asset."""
        query = (
            sql.select(_EVENTS.run_id, sql.func.min(_EVENTS.id))
            .where(_EVENTS.asset_key == key.to_string())
            .where(_EVENTS.dagster_event_type == _PLANNED)
            .group_by(_EVENTS.run_id)
        )
        return {row[0]: row[1] for row in self.rows(query)}


def _plain(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored materialization's metadata that are texts, paths or numbers."""
    entries = {entry["label"]: entry["entry_data"] for entry in made.get("metadata_entries") or ()}
    return {
        label: next((data[kind] for kind in ("text", "value", "path") if kind in data), None)
        for label, data in entries.items()
    }


def _noted(tags: Mapping[str, str], event: int, stored: Stored) -> Provenance:
    inputs = {}
    for tag, value in tags.items():
        if tag.startswith(INPUT_DATA_VERSION_TAG_PREFIX):
            asset = tag[len(INPUT_DATA_VERSION_TAG_PREFIX) + 1 :]
            pointer = tags.get(f"{INPUT_EVENT_POINTER_TAG_PREFIX}/{asset}", NULL_EVENT_POINTER)
            inputs[asset] = Input(value, 0 if pointer == NULL_EVENT_POINTER else int(pointer))
    return Provenance(
        tags[CODE_VERSION_TAG],
        inputs,
        event,
        tags.get(DATA_VERSION_IS_USER_PROVIDED_TAG) == "true",
        to_ask_again(tags),
        stored,
    )
