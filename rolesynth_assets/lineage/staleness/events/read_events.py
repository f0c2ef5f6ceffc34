"""What was read of the latest materializations, kept beside Dagster's tables.

An event may hold pictures, and a partition has one: reading two thousand of them again at each look
takes seconds. Staleness needs only their tags and where their content is, which never change.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from rolesynth_assets.lineage.staleness.history import Version
from rolesynth_assets.lineage.staleness.stored_tables import Stored

FILE = "rolesynth-read-events-1.sqlite"
"""Name of the file in a Dagster home; its number is that of the form of its content."""
WAIT_S = 5.0
_TABLE = (
    "CREATE TABLE IF NOT EXISTS latest (asset TEXT, partition TEXT, event INTEGER, run TEXT, "
    "version TEXT, noted TEXT, PRIMARY KEY (asset, partition)) WITHOUT ROWID"
)


class ReadEvent(NamedTuple):
    """The tags of a materialization, and where it says that its content is."""

    tags: Mapping[str, str]
    stored: Stored


class ReadEvents:
    """The latest materialization of each partition, as far as it was read before.

    An event is known again by its number, its run and its data version, so a file that belongs to
    other tables says nothing. One that cannot be read or written is left alone: everything is read
    anew then.

    Args:
        home: a Dagster home.
    """

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def known(
        self, asset: str, latest: Mapping[str | None, Version]
    ) -> dict[str | None, ReadEvent]:
        """Return what is known of these events of an asset, by partition."""
        if not self._path.is_file():
            return {}
        query = "SELECT partition, event, run, version, noted FROM latest WHERE asset = ?"
        try:
            with closing(sqlite3.connect(self._path, timeout=WAIT_S)) as file:
                rows = file.execute(query, (asset,)).fetchall()
        except sqlite3.Error:
            return {}
        found: dict[str | None, ReadEvent] = {}
        for name, event, run, value, noted in rows:
            partition = name or None
            version = latest.get(partition)
            if version is not None and (event, run, value) == version[:3]:
                tags, stored = json.loads(noted)
                found[partition] = ReadEvent(tags, Stored(*stored))
        return found

    def keep(self, asset: str, read: Iterable[tuple[str | None, Version, ReadEvent]]) -> None:
        """Note what was read of an asset's events; each replaces its partition's earlier one."""
        rows = [
            (asset, at or "", *version[:3], json.dumps([dict(found.tags), list(found.stored)]))
            for at, version, found in read
        ]
        if not rows:
            return
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, timeout=WAIT_S)) as file:
            with file:
                file.execute(_TABLE)
                file.executemany("INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?, ?, ?)", rows)
