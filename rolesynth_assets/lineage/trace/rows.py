"""Rows of tables that have no nodes of their own kind, by their foreign keys and columns."""

from __future__ import annotations

from collections.abc import Sequence

from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, TraceBuilder
from rolesynth_assets.lineage.trace.sources import Row, Sources, facts, listed, short
from rolesynth_assets.store.lance.schemas import TABLES, table_spec
from rolesynth_assets.store.lance.specification import TableSpec


def row_id(table: str, key: str) -> NodeId:
    """Return the node of a row."""
    name = table_spec(table).row
    return NodeId(Kind(name) if name in {*Kind} else name, key)


def referred_rows(spec: TableSpec, rows: Sequence[Row]) -> dict[str, list[str]]:
    """Return what some rows of a table refer to: keys of rows by table."""
    found: dict[str, dict[str, None]] = {}
    for column, parent in spec.of.items():
        for row in rows:
            value = row.get(column) or ""
            keys = value.split() if column in spec.joined else [value]
            found.setdefault(parent, {}).update(dict.fromkeys(key for key in keys if key))
    return {parent: [*keys] for parent, keys in found.items()}


def add_row(trace: TraceBuilder, spec: TableSpec, rows: Sequence[Row]) -> NodeId:
    """Add a row that is not there yet, caused by the rows of the trace that it refers to.

    Args:
        trace: what to add to.
        spec: the row's table.
        rows: the row, as it is in each partition that has it.
    """
    key = rows[0][spec.key]
    node = row_id(spec.name, key)
    if node in trace:
        return node
    columns = [name for name in rows[0] if name not in (spec.key, "run_id")]
    stored = ", ".join(str(rows[0][name]) for name in spec.partition_by if name in rows[0])
    causes = [
        row_id(parent, cause)
        for parent, keys in referred_rows(spec, rows).items()
        for cause in keys
    ]
    return trace.add(
        Node(
            node,
            f"{short(key)} {stored or 'no longer stored'}",
            facts(*((name.replace("_", " "), listed(r[name] for r in rows)) for name in columns)),
            run_id=rows[0].get("run_id") or "",
        ),
        causes=tuple(causes),
    )


def follow_rows(sources: Sources, trace: TraceBuilder, start: NodeId, limit: int) -> None:
    """Add the rows of such tables that a node led to, directly or over rows in between.

    Args:
        sources: where to read.
        trace: what to add to; it has all else that the node led to.
        start: whose effects are followed.
        limit: rows listed of one table; 0 lists all.
    """
    for spec in TABLES.values():  # each after those that it refers to
        if spec.row in {*Kind}:
            continue
        by_key = _led_to(sources, trace, start, spec)
        for key in [*by_key][: limit or None]:
            add_row(trace, spec, by_key[key])
        left = len(by_key) - (limit or len(by_key))
        if left > 0:
            label = f"{counted(left, f'more {spec.row}')}; see --limit"
            trace.add(Node(NodeId(Kind.MORE, f"{spec.name} of {start}"), label), causes=(start,))


def _led_to(
    sources: Sources, trace: TraceBuilder, start: NodeId, spec: TableSpec
) -> dict[str, list[Row]]:
    """Rows of a table that refer to a node or to one of its effects, by key."""
    reached = trace.all_effects(start)
    rows: dict[tuple[str, ...], Row] = {}
    for column, parent in spec.of.items():
        kind = table_spec(parent).row
        keys = [node.key for node in reached if node.kind == kind]
        for row in sources.keyed(spec.name, column, keys):
            rows[tuple(row[name] for name in (spec.key, *spec.partition_by))] = row
    found: dict[str, list[Row]] = {}
    for place in sorted(rows):
        found.setdefault(place[0], []).append(rows[place])
    return found
