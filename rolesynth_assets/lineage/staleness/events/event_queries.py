"""Queries of the event log over one connection, for whole assets at a time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import sqlalchemy as sql

from rolesynth_assets.lineage.dagster_internals import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
    NULL_EVENT_POINTER,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
    last_wipe,
)
from rolesynth_assets.lineage.staleness.events.read_events import ReadEvent, ReadEvents
from rolesynth_assets.lineage.staleness.history import History, Input, Provenance, Version
from rolesynth_assets.lineage.staleness.passing_failures import to_ask_again
from rolesynth_assets.lineage.staleness.stored_tables import Stored

EVENTS_AT_ONCE = 100
"""Events that are read at once, since each may hold pictures."""
_EVENTS = SqlEventLogStorageTable.c
_TAGS = AssetEventTagsTable.c
MATERIALIZED = dg.DagsterEventType.ASSET_MATERIALIZATION.value
OBSERVED = dg.DagsterEventType.ASSET_OBSERVATION.value
PLANNED = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value
_WIPED = dg.DagsterEventType.ASSET_WIPED.value


@dataclass(frozen=True)
class Queries:
    """Queries over one connection; the storage must not be asked for anything else meanwhile."""

    connection: sql.Connection

    def rows(self, query: sql.Select) -> Sequence[sql.Row]:
        """Return all rows of a query."""
        return self.connection.execute(query).fetchall()

    def wiped(self, keys: Collection[dg.AssetKey]) -> dict[dg.AssetKey, int | datetime]:
        """Return the event of the last wipe of those assets that were wiped, or else its time."""
        table = AssetKeyTable.c
        query = sql.select(table.asset_key, table.asset_details).where(
            table.asset_key.in_([key.to_string() for key in keys]), table.asset_details.is_not(None)
        )
        found: dict[dg.AssetKey, int | datetime] = {}
        for name, details in self.rows(query):
            key = dg.AssetKey.from_db_string(name)
            at = last_wipe(details)
            if key is None or not at:
                continue
            noted = sql.select(sql.func.max(_EVENTS.id)).where(
                _EVENTS.asset_key == name, _EVENTS.dagster_event_type == _WIPED
            )
            ((event,),) = self.rows(noted)
            # by number if there is one, for a clock may be set back
            found[key] = event or datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
        return found

    def versions(
        self, keys: Collection[dg.AssetKey], kinds: Sequence[str]
    ) -> dict[tuple[dg.AssetKey, str], History]:
        """Read what was recorded of some assets since they were wiped, by kind of event.

        The order is that of an index that holds the partitions: in the table itself they lie behind
        the events' pictures.
        """
        found = {(key, kind): History() for key in keys for kind in kinds}
        query = (
            sql.select(
                _EVENTS.asset_key,
                _EVENTS.dagster_event_type,
                _EVENTS.partition,
                _EVENTS.id,
                _EVENTS.run_id,
                _TAGS.value,
                _TAGS.event_timestamp,
            )
            .select_from(
                SqlEventLogStorageTable.join(
                    AssetEventTagsTable,
                    sql.and_(_TAGS.event_id == _EVENTS.id, _TAGS.key == DATA_VERSION_TAG),
                    isouter=True,
                )
            )
            .where(
                _EVENTS.asset_key.in_([key.to_string() for key in keys]),
                _EVENTS.dagster_event_type.in_(kinds),
            )
            .order_by(_EVENTS.asset_key, _EVENTS.dagster_event_type, _EVENTS.partition, _EVENTS.id)
        )
        wiped = self.wiped(keys)
        named = {key.to_string(): key for key in keys}
        times = self._times(wiped)
        for name, kind, partition, event, run_id, value, at in self.rows(query):
            key = named[name]
            if value is None and kind == OBSERVED:
                continue
            if key in wiped and not _after(event, times.get(event), wiped[key]):
                continue
            history = found[key, kind]
            history.first_event = min(history.first_event or event, event)
            history.versions.setdefault(partition, []).append(Version(event, run_id, value, at))
        return found

    def _times(self, wiped: Mapping[dg.AssetKey, int | datetime]) -> dict[int, datetime]:
        """Return the time of each event of the assets of whose wipe only the time is known."""
        keys = [key.to_string() for key, at in wiped.items() if isinstance(at, datetime)]
        if not keys:
            return {}
        query = sql.select(_EVENTS.id, _EVENTS.timestamp).where(_EVENTS.asset_key.in_(keys))
        return {row[0]: row[1] for row in self.rows(query)}

    def provenance(
        self, key: dg.AssetKey, history: History, read: ReadEvents
    ) -> dict[str | None, Provenance]:
        """Return what the latest version of each partition of an asset was made from."""
        planned = None
        found: dict[str | None, Provenance] = {}
        latest = {partition: versions[-1] for partition, versions in history.versions.items()}
        for partition, (tags, stored) in self._latest_read(key, latest, read).items():
            version = latest[partition]
            if CODE_VERSION_TAG in tags:
                found[partition] = _noted(tags, version.event, stored)
                continue
            planned = self._planned(key) if planned is None else planned
            read_at = planned.get(version.run_id, version.event)
            by_hand = DATA_VERSION_TAG in tags
            again = to_ask_again(tags)
            found[partition] = Provenance(None, {}, read_at, by_hand, again, stored)
        return found

    def _latest_read(
        self, key: dg.AssetKey, latest: Mapping[str | None, Version], read: ReadEvents
    ) -> dict[str | None, ReadEvent]:
        known = read.known(key.to_string(), latest)
        new = {v.event: (at, v) for at, v in latest.items() if at not in known}
        noted = []
        for some in _batches(sorted(new)):
            query = sql.select(_EVENTS.id, _EVENTS.event).where(_EVENTS.id.in_(some))
            for event, text in self.rows(query):
                made = json.loads(text)["dagster_event"]["event_specific_data"]["materialization"]
                at, version = new[event]
                known[at] = ReadEvent(made["tags"] or {}, Stored.recorded(plain_metadata(made)))
                noted.append((at, version, known[at]))
        read.keep(key.to_string(), noted)
        return known

    def _planned(self, key: dg.AssetKey) -> dict[str, int]:
        """Return the first event of each run that set out to make the asset."""
        query = (
            sql.select(_EVENTS.run_id, sql.func.min(_EVENTS.id))
            .where(_EVENTS.asset_key == key.to_string())
            .where(_EVENTS.dagster_event_type == PLANNED)
            .group_by(_EVENTS.run_id)
        )
        return {row[0]: row[1] for row in self.rows(query)}


def _batches(events: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(events), EVENTS_AT_ONCE):
        yield events[start : start + EVENTS_AT_ONCE]


def _after(event: int, at: datetime | None, wiped: int | datetime) -> bool:
    """Return whether an event was recorded after its asset was wiped."""
    return event > wiped if isinstance(wiped, int) else at is None or at > wiped


def plain_metadata(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stored materialization's metadata that are texts, paths or numbers."""
    entries = {entry["label"]: entry["entry_data"] for entry in made.get("metadata_entries") or ()}
    return {
        label: next((data[kind] for kind in ("text", "value", "path") if kind in data), None)
        for label, data in entries.items()
    }


def metadata_with_json(made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `plain_metadata` does, and the values of metadata that are JSON."""
    return plain_metadata(made) | {
        entry["label"]: entry["entry_data"]["data"]
        for entry in made.get("metadata_entries") or ()
        if entry["entry_data"].get("data") is not None
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
