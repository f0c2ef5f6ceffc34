"""The upkeep of all Lance tables: what is due, and doing it without harm to what is pinned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.store.lance.maintenance.state import TableState
from rolesynth_assets.store.lance.schemas import TABLES
from rolesynth_assets.training_sets.kept_versions import keep_pinned

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.warehouse.snapshot import TableReader


@dataclass(frozen=True)
class Upkeep:
    """What an upkeep found and left.

    Attributes:
        before: state of each table before it.
        after: state of each table after it.
    """

    before: tuple[TableState, ...]
    after: tuple[TableState, ...]

    @property
    def freed(self) -> int:
        """Bytes by which the tables became smaller on disk; negative if they grew."""
        return sum(s.disk_bytes for s in self.before) - sum(s.disk_bytes for s in self.after)

    @property
    def done(self) -> dict[str, list[str]]:
        """What was due, by table."""
        return {state.table: state.due for state in self.before if state.due}


def tables_due(store: Store) -> list[str]:
    """Return the tables whose files are to be put in order; no row is read."""
    states = [store.state(table) for table in TABLES]
    return [state.table for state in states if state is not None and state.due]


def maintain_tables(
    store: Store, warehouse: TableReader, progress: Callable[[int, int], None]
) -> Upkeep:
    """Do what is due of each table: merge small files, index columns, remove useless versions.

    Args:
        store: the Lance tables.
        warehouse: holds the pins, whose versions are kept.
        progress: called with the tables done and all tables.
    """
    keep_pinned(store, warehouse)
    before, after = [], []
    for place, table in enumerate(TABLES):
        progress(place, len(TABLES))
        if (found := store.maintain(table)) is not None:
            left = store.state(table)
            assert left is not None
            before.append(found)
            after.append(left)
    progress(len(TABLES), len(TABLES))
    return Upkeep(tuple(before), tuple(after))
