"""Rendering of a trace as a tree in the terminal."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, Trace

COLOURS: dict[str, str] = {
    Kind.IMAGE: "cyan",
    Kind.ROLE: "magenta",
    Kind.CAPTION: "green",
    Kind.SCORE: "yellow",
    Kind.PAIR: "yellow",
    Kind.TRAINING_SET: "blue",
    Kind.CHECKPOINT: "blue",
    Kind.R1_CHECKPOINT: "blue",
    Kind.SEED: "cyan",
    Kind.CANDIDATE: "green",
    Kind.VERDICT: "yellow",
    Kind.CONTEXT: "magenta",
}
"""By kind; all others are bold."""
LONGEST = 400
"""Characters shown of a fact of the subject; `--json` and `--html` show all of it."""


def run_url(ui: str, run_id: str) -> str:
    """Return the address at which the Dagster UI shows a run."""
    return f"{ui.rstrip('/')}/runs/{run_id}"


def trace_tree(trace: Trace, ui: str) -> Tree:
    """Return a tree of the subject with its facts, its causes and its effects.

    The branches of a node that several others lead to are written only once.

    Args:
        trace: the trace.
        ui: address of the Dagster UI, to which run ids link.
    """
    subject = trace.nodes[trace.subject]
    root = Tree(_line(subject, ui), guide_style="dim")
    for name, value in subject.facts.items():
        text = value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
        root.add(Text.assemble((f"{name}: ", "dim"), " ".join(text.split())))
    seen = {trace.subject}
    for title, step in (("comes from", trace.causes), ("led to", trace.effects)):
        nodes = step(trace.subject)
        if nodes:
            branch = root.add(Text(title, style="bold"))
            for node in nodes:
                _grow(branch, node, step, seen, ui)
    for note in trace.notes:
        root.add(Text.assemble(("not followed: ", "red"), note))
    return root


def print_trace(trace: Trace, ui: str, console: Console | None = None) -> None:
    """Print a trace as a tree."""
    wide = console or Console(width=max(128, Console().width))
    wide.print(trace_tree(trace, ui))


def _grow(
    branch: Tree, node: Node, step: Callable[[NodeId], list[Node]], seen: set[NodeId], ui: str
) -> None:
    line = _line(node, ui)
    further = step(node.id)
    if node.id in seen and further:
        line.append(" (as above)", style="dim")
    twig = branch.add(line)
    if node.id in seen:
        return
    seen.add(node.id)
    if node.id.kind is Kind.MORE:
        for name, value in node.facts.items():
            twig.add(Text(f"{name}: {value}", style="dim"))
    for child in further:
        _grow(twig, child, step, seen, ui)


def _line(node: Node, ui: str) -> Text:
    kind = "" if node.id.kind is Kind.MORE else f"{node.id.kind} "
    line = Text.assemble((kind, COLOURS.get(node.id.kind, "bold")), node.label)
    if node.run_id:
        link = run_url(ui, node.run_id)
        line.append("  ").append(f"run {node.run_id[:8]}", style=f"dim link {link}")
    if node.warning:
        line.append("  ").append(node.warning, style="bold red")
    return line
