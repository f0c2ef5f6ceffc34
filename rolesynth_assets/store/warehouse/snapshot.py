"""Snapshots of warehouse tables, read over one connection, since opening the file is expensive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from rolesynth_assets.store.errors import StoreError

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.warehouse.warehouse import Value, Warehouse


class TableReader(Protocol):
    """An object that reads tables as `Warehouse` does."""

    def read(self, table: str, where: Mapping[str, Value] | None = None) -> pl.DataFrame:
        """Read the rows whose columns equal `where`."""
        ...


class Snapshot:
    """The content of some tables at one time."""

    def __init__(self, warehouse: Warehouse, tables: Sequence[str]) -> None:
        """Read `tables` whole, over one connection."""
        self._frames = warehouse.read_all(tables)

    def read(self, table: str, where: Mapping[str, Value] | None = None) -> pl.DataFrame:
        """Read the rows of the snapshot whose columns equal `where`.

        Raises:
            StoreError: the table is not part of the snapshot.
        """
        import polars as pl

        if table not in self._frames:
            raise StoreError(f"Table {table!r} is not in this snapshot of {[*self._frames]}.")
        frame = self._frames[table]
        for column, value in (where or {}).items():
            frame = frame.filter(pl.col(column).eq_missing(pl.lit(value)))
        return frame
