"""Whether what Dagster recorded can still be in its table: tables are deleted, and put back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, data_path
from rolesynth_assets.store.lance.manifests import latest_version
from rolesynth_assets.store.table_identity import SMALL, identity

TABLE, VERSION, TABLE_ID, URI = (
    "dagster/table_name",
    "rolesynth/lance_version",
    "rolesynth/table_id",
    "dagster/uri",
)
"""Names of the metadata of a materialization that say where its content is."""


class Stored(NamedTuple):
    """Where a materialization says that its content is; empty where it says nothing.

    Attributes:
        table: table, such as ``lance.captions`` or ``small.cutoffs``.
        version: version of a Lance table after the write, else 0.
        table_id: id of the table at that time.
        uri: file or folder.
    """

    table: str = ""
    version: int = 0
    table_id: str = ""
    uri: str = ""

    @classmethod
    def recorded(cls, metadata: Mapping[str, Any]) -> Stored:
        """Take it from the plain values of a materialization's metadata."""
        return cls(
            str(metadata.get(TABLE) or ""),
            int(metadata.get(VERSION) or 0),
            str(metadata.get(TABLE_ID) or ""),
            str(metadata.get(URI) or ""),
        )


NOWHERE = Stored()


class StoredTables:
    """The tables and folders below a data root, looked at once each."""

    def __init__(self, root: DataPath) -> None:
        self._root = root
        self._known: dict[Stored, str] = {}
        self._versions: dict[str, int] = {}
        self._there: dict[str, tuple[bool, str]] = {}

    def lost(self, stored: Stored) -> str:
        """Say why the content cannot be there any more; nothing where it may be."""
        if stored not in self._known:
            self._known[stored] = self._table(stored) if stored.table else self._file(stored)
        return self._known[stored]

    def _table(self, stored: Stored) -> str:
        store, _, name = stored.table.partition(".")
        if not name:
            return ""
        lance = store == "lance"
        there, now = self._look(name, small=not lance)
        if not there:
            return f"table {stored.table} was deleted"
        if stored.table_id and now and stored.table_id != now:
            return f"table {stored.table} was deleted and made anew"
        if lance and stored.version > (version := self._version(name)):
            return f"table {stored.table} went back from version {stored.version} to {version}"
        return ""

    def _file(self, stored: Stored) -> str:
        """A folder is looked for below the root too, for a project may have been moved."""
        parts = Path(stored.uri).parts
        if not stored.uri or "://" in stored.uri or Path(stored.uri).exists():
            return ""
        below = (self._root / PurePosixPath(*parts[at:]) for at in range(1, len(parts)))
        return "" if any(place.exists() for place in below) else f"{stored.uri} was deleted"

    def _look(self, table: str, *, small: bool) -> tuple[bool, str]:
        """Return whether a table exists, and its id."""
        paths = DataPaths(self._root)
        place = paths.small_table(table) if small else paths.lance_table(table)
        if place not in self._there:
            known = identity(self._root, SMALL if small else table)
            self._there[place] = data_path(place).exists(), known or ""
        return self._there[place]

    def _version(self, table: str) -> int:
        if table not in self._versions:
            found = latest_version(data_path(DataPaths(self._root).lance_table(table)))
            if found is None:
                from rolesynth_assets.store.lance.reader import StoreReader

                found = StoreReader(self._root).version(table)
            self._versions[table] = found
        return self._versions[table]
