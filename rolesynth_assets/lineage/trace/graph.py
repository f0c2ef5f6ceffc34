"""The graph of a trace: rows and artefacts as nodes, and edges from causes to effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a node is; for rows of other tables, the name of a row of that table."""

    IMAGE = "image"
    ROLE = "role"
    CAPTION = "caption"
    SCORE = "score"
    PAIR = "pair"
    TRAINING_SET = "training set"
    CHECKPOINT = "checkpoint"
    BENCHMARK_SCORE = "benchmark score"
    SEED = "seed"
    CANDIDATE = "candidate"
    VERDICT = "verdict"
    CONTEXT = "context"
    PROBLEM = "problem"
    R1_CHECKPOINT = "r1 checkpoint"
    R1_SCORE = "r1 score"
    MORE = "more"
    """Rows that were counted but not listed."""


@dataclass(frozen=True)
class NodeId:
    """The identity of a node; the key is unique within its kind."""

    kind: str
    key: str

    def __str__(self) -> str:
        """Return the id as it is written in JSON."""
        return f"{self.kind}:{self.key}"


@dataclass(frozen=True)
class Node:
    """A row or an artefact.

    Attributes:
        id: identity of the node.
        label: description in one line.
        facts: facts by name, in the order shown; a text may have several lines.
        run_id: the Dagster run that made it; empty if none is known.
        warning: important notice, such as a withdrawal.
    """

    id: NodeId
    label: str
    facts: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    warning: str = ""


@dataclass(frozen=True)
class Trace:
    """A subject with everything it came from and everything it led to.

    Attributes:
        subject: the node that was traced.
        nodes: nodes by identity, in the order found.
        edges: pairs of cause and effect.
        notes: links that could not be followed, with the cause.
    """

    subject: NodeId
    nodes: Mapping[NodeId, Node]
    edges: tuple[tuple[NodeId, NodeId], ...]
    notes: tuple[str, ...] = ()

    def causes(self, node: NodeId) -> list[Node]:
        """Return the direct causes of a node."""
        return [self.nodes[cause] for cause, effect in self.edges if effect == node]

    def effects(self, node: NodeId) -> list[Node]:
        """Return the direct effects of a node."""
        return [self.nodes[effect] for cause, effect in self.edges if cause == node]

    def to_json(self) -> dict[str, Any]:
        """Return the trace as JSON values."""
        return {
            "subject": str(self.subject),
            "nodes": [
                {
                    "id": str(node.id),
                    "kind": str(node.id.kind),
                    "key": node.id.key,
                    "label": node.label,
                    "run_id": node.run_id or None,
                    "warning": node.warning or None,
                    "facts": dict(node.facts),
                }
                for node in self.nodes.values()
            ],
            "edges": [[str(cause), str(effect)] for cause, effect in self.edges],
            "notes": list(self.notes),
        }


class TraceBuilder:
    """Collects nodes and edges; adding one again has no effect."""

    def __init__(self) -> None:
        self._nodes: dict[NodeId, Node] = {}
        self._edges: dict[tuple[NodeId, NodeId], None] = {}
        self._notes: dict[str, None] = {}

    def __contains__(self, node: NodeId) -> bool:
        return node in self._nodes

    def add(self, node: Node, *, causes: tuple[NodeId, ...] = ()) -> NodeId:
        """Add a node, and edges from those of its causes that are in the graph."""
        self._nodes.setdefault(node.id, node)
        for cause in causes:
            self.link(cause, node.id)
        return node.id

    def link(self, cause: NodeId, effect: NodeId) -> None:
        """Add an edge if both nodes are in the graph."""
        if cause in self._nodes and effect in self._nodes:
            self._edges[cause, effect] = None

    def of_kind(self, kind: Kind) -> list[NodeId]:
        """The nodes of one kind so far."""
        return [node for node in self._nodes if node.kind == kind]

    def effects(self, cause: NodeId, kind: Kind) -> list[NodeId]:
        """What a node led to so far, of one kind."""
        return [effect for above, effect in self._edges if above == cause and effect.kind == kind]

    def all_effects(self, cause: NodeId) -> set[NodeId]:
        """A node and all that it led to so far, over any number of steps."""
        below: dict[NodeId, list[NodeId]] = {}
        for above, effect in self._edges:
            below.setdefault(above, []).append(effect)
        found, left = {cause}, [cause]
        while left:
            new = [effect for effect in below.get(left.pop(), ()) if effect not in found]
            found.update(new)
            left += new
        return found

    def note(self, text: str) -> None:
        """Add a note on a link that could not be followed."""
        self._notes[text] = None

    def build(self, subject: NodeId) -> Trace:
        """Return the trace of a node that has been added."""
        return Trace(subject, dict(self._nodes), tuple(self._edges), tuple(self._notes))
