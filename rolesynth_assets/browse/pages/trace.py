"""The trace of a row or an artefact, from cause to effect and back, one step a link."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.lineage.trace.graph import Kind, Node, Trace
from rolesynth_assets.lineage.trace.sources import TRACED_TABLES, Sources
from rolesynth_assets.lineage.trace.subject import SubjectError, tables_by_kind
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.store.small.snapshot import Snapshot

LONGEST = 300
"""Characters of a subject that are read."""
MOST = 60
"""Nodes listed of a direction; the others are counted."""
_PARTITIONS = {Kind.BENCHMARK_SCORE: "benchmark_scores", Kind.R1_SCORE: "r1_scores"}


def follow(desk: Desk, request: Request) -> Response:
    """A subject with its facts, what it comes from and what it led to."""
    subject = request.query_params.get("subject", "").strip()[:LONGEST]
    shown = {"title": "Trace", "subject": subject, "trace": None, "said": "", "most": MOST}
    shown |= {"address": address_of, "picture": picture_of, "distant": distant}
    if not subject:
        return desk.page(request, "trace.html", shown)
    sources = Sources(desk.store, Snapshot(desk.small, TRACED_TABLES), desk.root)
    try:
        found = trace(sources, subject)
    except SubjectError as error:
        return desk.page(request, "trace.html", shown | {"said": str(error)}, 404)
    return desk.page(request, "trace.html", shown | {"trace": found})


def address_of(node: Node) -> str:
    """Return the page of a node's own trace; empty where it has none."""
    kind, key = str(node.id.kind), node.id.key
    if kind in tables_by_kind():
        subject = f"{kind}:{key}"
    elif kind == Kind.PAIR:
        subject = f"caption:{key.split('|')[0]}"
    elif node.id.kind in _PARTITIONS:
        subject = f"{_PARTITIONS[Kind(kind)]}[{'|'.join(key.split('|')[:2])}]"
    elif "@" in key and kind != Kind.MORE:  # a training set or a checkpoint, by its digest
        subject = key.rsplit("@", 1)[1]
    else:
        return ""
    return f"/trace?{urlencode({'subject': subject})}"


def picture_of(node: Node) -> str:
    """Return the address of a node's picture; empty where it has none."""
    if node.id.kind is Kind.IMAGE and node.facts.get("size"):
        return f"/thumbnails/{node.id.key}"
    return f"/drawings/{node.id.key}" if node.id.kind is Kind.CANDIDATE else ""


def distant(found: Trace, *, causes: bool) -> list[tuple[int, Node]]:
    """Return what a subject comes from, or what it led to, each with its distance.

    Each node is listed once, below the first node that leads to it.
    """
    step = found.causes if causes else found.effects
    listed: list[tuple[int, Node]] = []
    seen = {found.subject}
    waiting = [(0, node) for node in reversed(step(found.subject))]
    while waiting:
        depth, node = waiting.pop()
        if node.id in seen:
            continue
        seen.add(node.id)
        listed.append((depth, node))
        waiting += [(depth + 1, further) for further in reversed(step(node.id))]
    return listed
