"""What the sensor gave up: why its runs failed, who ran it by hand since, and the way out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import dagster as dg

from rolesynth_assets.lineage.refresh.sensor_tick import TRIES, Tried
from rolesynth_assets.lineage.refresh.tagged_runs import TAG
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.events.event_log import EventLog

SENSOR = "rematerialize_stale"
"""Name of the sensor."""
_AUTOMATIC = ("sensor-", "refresh-")


def run_by_hand(instance: dg.DagsterInstance, tried: Mapping[str, Tried]) -> set[Cell]:
    """Return cells that were given up and that somebody ran since."""
    log = EventLog(instance)
    found = set()
    for name, of in tried.items():
        if not of.given_up:
            continue
        cell = Cell.named(name)
        runs = log.attempts(dg.AssetKey.from_user_string(cell.asset), cell.partition)
        later = [run for run, at in runs if at > of.since]
        if any(not _is_automatic(instance.get_run_by_id(run)) for run in later):
            found.add(cell)
    return found


def _is_automatic(run: dg.DagsterRun | None) -> bool:
    return run is None or run.tags.get(TAG, "").startswith(_AUTOMATIC)


def stored_cursor(instance: dg.DagsterInstance) -> str | None:
    """Return the cursor of the sensor as the daemon keeps it; None if it was never on."""
    for state in instance.all_instigator_state():
        if state.instigator_name == SENSOR:
            return getattr(state.instigator_data, "cursor", None)
    return None


def sentences(instance: dg.DagsterInstance, cells: Iterable[Cell]) -> list[str]:
    """Say of each cell that it was given up, why, and what to do."""
    return [
        f"{cell} was given up after {TRIES} tries: {_last_failure(instance, cell)}. A run of it by "
        f"hand clears this (`rolesynth stale --fix --asset {cell.asset}`, or Materialize in the "
        "UI), and so does a change of its code or upstream."
        for cell in cells
    ]


def _last_failure(instance: dg.DagsterInstance, cell: Cell) -> str:
    log = EventLog(instance)
    for run, _ in log.attempts(dg.AssetKey.from_user_string(cell.asset), cell.partition):
        for entry in instance.all_logs(run, of_type=dg.DagsterEventType.STEP_FAILURE):
            data = entry.dagster_event.event_specific_data if entry.dagster_event else None
            error = getattr(data, "error", None)
            if error is not None:
                first = " ".join((error.cause or error).message.split())
                return f"{first[:300].rstrip('.')} (run {run[:8]})"
    return "it is still stale after its runs"
