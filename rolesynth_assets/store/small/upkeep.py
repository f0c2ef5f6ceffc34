"""The upkeep of the small tables: each write leaves a version, and nothing needs an earlier one."""

from __future__ import annotations

from rolesynth_assets.store.lance.datasets import bytes_on_disk
from rolesynth_assets.store.lance.maintenance import versions
from rolesynth_assets.store.lance.maintenance.state import TableState, files_bytes
from rolesynth_assets.store.small.tables import SmallTables


def small_table_state(small: SmallTables, table: str) -> TableState | None:
    """Return the state of a small table's files; None if it was never written to.

    A version has at most one file of rows, and a look-up reads all of it, so there is nothing to
    merge and nothing to index.
    """
    if (dataset := small.dataset(table)) is None:
        return None
    listed = dataset.versions()
    return TableState(
        table=table,
        rows=dataset.count_rows(),
        live_bytes=files_bytes(dataset),
        disk_bytes=bytes_on_disk(dataset.uri),
        version=dataset.version,
        versions=len(listed),
        pinned=0,
        superseded=len(versions.superseded(listed, ())),
        files=len(dataset.get_fragments()),
        small_files=0,
        deleted_rows=0,
        indexed=(),
        unindexed_rows=0,
    )


def maintain_small_table(small: SmallTables, table: str) -> TableState | None:
    """Remove the versions of a small table that nobody reads any more, if there are many.

    Returns:
        The state before; None if the table was never written to.
    """
    state, dataset = small_table_state(small, table), small.dataset(table)
    if state is not None and state.clean_up_due and dataset is not None:
        versions.clean_up(dataset)
    return state
