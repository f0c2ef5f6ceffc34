"""Reading Dagster's event log in bulk: every version of every partition, and what it came from.

Dagster's own resolver asks the storage once a partition and dependency; here it is a few queries
an asset, whatever its partitions. It works on every storage that keeps its events in SQL tables.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as sql

from rolesynth_assets.lineage.dagster_internals import (
    AssetCheckExecutionRecordStatus,
    AssetCheckExecutionsTable,
    DynamicPartitionsTable,
    SqlEventLogStorage,
    SqlEventLogStorageTable,
)
from rolesynth_assets.lineage.staleness.events.event_queries import (
    MATERIALIZED,
    OBSERVED,
    PLANNED,
    Queries,
    metadata_with_json,
    plain_metadata,
)
from rolesynth_assets.lineage.staleness.events.read_events import ReadEvents
from rolesynth_assets.lineage.staleness.history import History

ATTEMPTS = 50
"""Runs of one partition that are looked at, latest first."""
_EVENTS = SqlEventLogStorageTable.c


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


class MadeEvent(NamedTuple):
    """A materialization.

    Attributes:
        event: its number in the event log.
        key: the asset.
        partition: its partition.
        at: when, seconds since the epoch.
        metadata: its texts and numbers, and what is JSON.
    """

    event: int
    key: dg.AssetKey
    partition: str | None
    at: float
    metadata: Mapping[str, Any]


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
        self._read = ReadEvents(Path(instance.root_directory))
        self._clock: dict[int, datetime] = {}

    def histories(
        self, made: Collection[dg.AssetKey], sources: Collection[dg.AssetKey]
    ) -> dict[dg.AssetKey, History]:
        """Read all versions of all partitions of some assets.

        Args:
            made: assets that are made.
            sources: assets that are observed, not made: their observations count, unless there are
                materializations (Dagster's provenance points to those alone where there are any).
        """
        with self._connected() as log:  # opening one costs more than a query
            found = log.versions([*made, *sources], (MATERIALIZED, OBSERVED))
            read: dict[dg.AssetKey, History] = {}
            for key in sources:
                history = found[key, MATERIALIZED]
                if not history.versions:
                    history = found[key, OBSERVED]
                    history.observed = True
                read[key] = history
            for key in made:
                history = read[key] = found[key, MATERIALIZED]
                if history.versions:
                    history.provenance = log.provenance(key, history, self._read)
            return read

    def observed(self, keys: Collection[dg.AssetKey]) -> dict[dg.AssetKey, dict[str | None, str]]:
        """Return the data version observed last of each partition of some sources."""
        with self._connected() as log:
            found = log.versions(keys, (OBSERVED,))
        return {
            key: {at: str(seen[-1].value) for at, seen in found[key, OBSERVED].versions.items()}
            for key in keys
        }

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
            .where(_EVENTS.run_id.in_(runs), _EVENTS.dagster_event_type == PLANNED)
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
            .where(_EVENTS.dagster_event_type == MATERIALIZED)
            .execution_options(yield_per=100)  # an event may hold pictures
        )
        with self._connected() as log:
            for (text,) in log.connection.execute(query):
                data = json.loads(text)["dagster_event"]["event_specific_data"]
                yield plain_metadata(data["materialization"])

    def made_since(self, event: int) -> Iterator[MadeEvent]:
        """Yield all materializations that were recorded after an event, in their order."""
        query = (
            sql.select(
                _EVENTS.id, _EVENTS.asset_key, _EVENTS.partition, _EVENTS.timestamp, _EVENTS.event
            )
            .where(_EVENTS.id > event, _EVENTS.dagster_event_type == MATERIALIZED)
            .order_by(_EVENTS.id)
            .execution_options(yield_per=100)  # an event may hold pictures
        )
        with self._connected() as log:
            for number, asset, partition, at, text in log.connection.execute(query):
                key = dg.AssetKey.from_db_string(asset)
                data = json.loads(text)["dagster_event"]["event_specific_data"]
                if key is not None:
                    found = metadata_with_json(data["materialization"])
                    at = at.replace(tzinfo=UTC).timestamp()
                    yield MadeEvent(number, key, partition, at, found)

    def mentioning(
        self, text: str
    ) -> Iterator[tuple[dg.AssetKey, str | None, str, Mapping[str, Any]]]:
        """Yield events that hold a text, or whose run's id begins with it, latest first.

        Returns:
            Asset, partition, run, and the materialization or observation as it is stored.
        """
        query = (
            sql.select(_EVENTS.asset_key, _EVENTS.partition, _EVENTS.run_id, _EVENTS.event)
            .where(_EVENTS.dagster_event_type.in_((MATERIALIZED, OBSERVED)))
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
            .where(_EVENTS.asset_key == key.to_string(), _EVENTS.dagster_event_type == PLANNED)
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
    def _connected(self) -> Iterator[Queries]:
        with self._storage.index_connection() as connection:
            yield Queries(connection)
