"""Snapshots of small tables: read once, then looked at as often as needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.small.rows import Value, selected

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.small.tables import SmallTables


class TableReader(Protocol):
    """An object that reads tables as `SmallTables` does."""

    def read(self, table: str, where: Mapping[str, Value] | None = None) -> pl.DataFrame:
        """Read the rows whose columns equal `where`."""
        ...


class Snapshot:
    """The content of some tables, each at one version."""

    def __init__(self, small: SmallTables, tables: Sequence[str]) -> None:
        """Read `tables` whole."""
        self._frames = small.read_all(tables)

    def read(self, table: str, where: Mapping[str, Value] | None = None) -> pl.DataFrame:
        """Read the rows of the snapshot whose columns equal `where`.

        Raises:
            StoreError: the table is not part of the snapshot, or has no such column.
        """
        if table not in self._frames:
            raise StoreError(f"Table {table!r} is not in this snapshot of {[*self._frames]}.")
        return selected(table, self._frames[table], where or {})
