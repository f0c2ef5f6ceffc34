"""The upkeep of all tables: what is due, and doing it without harm to what is pinned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.store.lance.maintenance.state import TableState
from rolesynth_assets.store.lance.schemas import TABLES
from rolesynth_assets.store.small.schemas import SMALL_TABLES
from rolesynth_assets.store.small.upkeep import maintain_small_table, small_table_state
from rolesynth_assets.training_sets.kept_versions import keep_pinned

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables


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


def tables_due(store: Store, small: SmallTables) -> list[str]:
    """Return the tables whose files are to be put in order; no row is read."""
    return [state.table for state in _states(store, small) if state.due]


def maintain_tables(
    store: Store, small: SmallTables, progress: Callable[[int, int], None]
) -> Upkeep:
    """Do what is due of each table: merge small files, index columns, remove useless versions.

    Args:
        store: the Lance tables.
        small: the small tables, with the pins, whose versions of the Lance tables are kept.
        progress: called with the tables done and all tables.
    """
    keep_pinned(store, small)
    before, total = [], len(TABLES) + len(SMALL_TABLES)
    for place, table in enumerate([*TABLES, *SMALL_TABLES]):
        progress(place, total)
        of_store = table in TABLES
        if found := store.maintain(table) if of_store else maintain_small_table(small, table):
            before.append(found)
    progress(total, total)
    return Upkeep(tuple(before), tuple(_states(store, small)))


def _states(store: Store, small: SmallTables) -> Iterator[TableState]:
    of_store = (store.state(table) for table in TABLES)
    of_small = (small_table_state(small, table) for table in SMALL_TABLES)
    yield from (state for states in (of_store, of_small) for state in states if state is not None)
