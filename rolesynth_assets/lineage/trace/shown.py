"""Tracing of what the pages of the UI show and no table holds as a key of its own.

Digests of content, revisions of models, ids of tables and runs: Dagster's event log says which
partitions show one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from rolesynth_assets.lineage.dagster_internals import DATA_VERSION_TAG
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.events.event_log import EventLog
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, Trace, TraceBuilder
from rolesynth_assets.lineage.trace.subject import ASSETS, LEAST

_ID = re.compile(rf"[0-9a-fA-F][0-9a-fA-F-]{{{LEAST - 1},63}}")
_PICTURE = re.compile(r"data:image/[^)\s\"]*")
SHOWN, PARTITION = "shown id", "partition"


def partitions_showing(instance: dg.DagsterInstance, text: str) -> dict[Cell, tuple[str, str]]:
    """Return the partitions whose latest such event shows an id: as what, and in which run.

    Args:
        instance: where the events are.
        text: an id or its beginning, in hexadecimal digits.
    """
    if not _ID.fullmatch(text):
        return {}
    starts = re.compile(rf"(?<![0-9a-zA-Z]){re.escape(text)}", re.IGNORECASE)
    found: dict[Cell, tuple[str, str]] = {}
    for asset, partition, run, event in EventLog(instance).mentioning(text):
        cell = Cell(asset.to_user_string(), partition)
        names = [name for name, value in _shown(run, event) if starts.search(value)]
        if names and cell not in found:
            found[cell] = names[0], run
    return found


def trace_shown(instance: dg.DagsterInstance, text: str, limit: int) -> Trace | str | None:
    """Trace an id that pages show to the partitions that show it.

    Args:
        instance: where the events are.
        text: an id or its beginning.
        limit: partitions listed; 0 lists all.

    Returns:
        The trace, or the name of the one partition that shows it if that can be traced itself; None
        if no page shows it.
    """
    found = partitions_showing(instance, text)
    if not found:
        return None
    (cell, *others) = found
    if not others and cell.asset in ASSETS:
        return str(cell)
    builder, subject = TraceBuilder(), NodeId(SHOWN, text)
    assets = ", ".join(dict.fromkeys(f"{what} of {of.asset}" for of, (what, _) in found.items()))
    builder.add(Node(subject, text, {"shown as": assets}))
    for cell, (what, run) in list(found.items())[: limit or None]:
        node = Node(NodeId(PARTITION, str(cell)), f"{cell}: {what}", run_id=run)
        builder.add(node, causes=(subject,))
    if limit and len(found) > limit:
        label = f"{len(found) - limit} more partitions; see --limit"
        builder.add(Node(NodeId(Kind.MORE, text), label), causes=(subject,))
    return builder.build(subject)


def _shown(run: str, event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and texts of what a page shows of an event."""
    for entry in event.get("metadata_entries") or ():
        name = entry["label"].removeprefix("rolesynth/").replace("_", " ")
        yield name, _PICTURE.sub("", json.dumps(entry["entry_data"], ensure_ascii=False))
    yield "data version", (event.get("tags") or {}).get(DATA_VERSION_TAG, "")
    yield "run", run
