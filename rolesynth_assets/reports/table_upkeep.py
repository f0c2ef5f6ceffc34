"""The page of the tables' upkeep, and its checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.store.lance.maintenance.compaction import FOLD_FILES
from rolesynth_assets.store.lance.maintenance.indexes import most_unindexed
from rolesynth_assets.store.lance.maintenance.state import SPARE_VERSIONS, TableState

if TYPE_CHECKING:
    import polars as pl

MEGABYTE = 1_000_000


def state_rows(states: Sequence[TableState]) -> pl.DataFrame:
    """Return one row a table, sizes in MB of 1,000,000 bytes."""
    import polars as pl

    rows = [
        {
            "table": state.table,
            "rows": state.rows,
            "MB": state.live_bytes / MEGABYTE,
            "MB with versions": state.disk_bytes / MEGABYTE,
            "versions": state.versions,
            "pinned": state.pinned,
            "files": state.files,
            "small files": state.small_files,
            "deleted rows": state.deleted_rows,
            "indexed": ", ".join(state.indexed),
            "rows without index": state.unindexed_rows,
        }
        for state in states
    ]
    return pl.DataFrame(rows)


def few_small_files(states: Sequence[TableState]) -> CheckOutcome:
    """Check that no table consists of many small files, each of which every scan opens."""
    most = max(states, key=lambda state: state.small_files, default=None)
    found = most.small_files if most else 0
    return CheckOutcome(
        passed=found < FOLD_FILES,
        value=found,
        threshold=FOLD_FILES - 1,
        description=f"Table {most.table} has {found} small files side by side."
        if most
        else "There is no table.",
        metadata={state.table: state.small_files for state in states},
    )


def look_ups_indexed(states: Sequence[TableState]) -> CheckOutcome:
    """Check that a look-up by an id or a partition scans few rows."""
    excess = {s.table: s.unindexed_rows - most_unindexed(s.rows) for s in states}
    worst = max(states, key=lambda state: excess[state.table], default=None)
    return CheckOutcome(
        passed=all(rows <= 0 for rows in excess.values()),
        value=worst.unindexed_rows if worst else 0,
        threshold=most_unindexed(worst.rows) if worst else None,
        description=f"A look-up in table {worst.table} scans {worst.unindexed_rows} rows."
        if worst
        else "There is no table.",
        metadata={state.table: state.unindexed_rows for state in states},
    )


def few_useless_versions(states: Sequence[TableState]) -> CheckOutcome:
    """Check that few versions are left that no pin and no reader needs."""
    most = max(states, key=lambda state: state.superseded, default=None)
    found = most.superseded if most else 0
    return CheckOutcome(
        passed=found <= SPARE_VERSIONS,
        value=found,
        threshold=SPARE_VERSIONS,
        description=f"Table {most.table} has {found} versions that nothing needs."
        if most
        else "There is no table.",
        metadata={state.table: state.superseded for state in states},
    )
