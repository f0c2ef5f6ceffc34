"""Nodes of a trace for R1 checkpoints and their scores."""

from __future__ import annotations

from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, TraceBuilder
from rolesynth_assets.lineage.trace.problems import add_candidates, add_problems, add_seeds
from rolesynth_assets.lineage.trace.sources import Row, Sources, facts, short
from rolesynth_assets.lineage.trace.subject import SubjectError
from rolesynth_assets.lineage.trace.training import score_node
from rolesynth_assets.r1.training.recorded_trainings import data_with, read_r1_items


def follow_items(sources: Sources, trace: TraceBuilder) -> None:
    """Add the R1 checkpoints that were trained on a problem or seed of the trace."""
    items = [node.key for kind in (Kind.PROBLEM, Kind.SEED) for node in trace.of_kind(kind)]
    digests = data_with(sources.small, items)
    for training in sources.r1_trainings:
        if training["data_digest"] in digests:
            _add_checkpoint(sources, trace, training)


def lead_up_to(sources: Sources, trace: TraceBuilder, key: str, limit: int) -> NodeId:
    """Add an R1 checkpoint with at most `limit` of its training questions; 0 adds all.

    Raises:
        SubjectError: no such training is recorded.
    """
    found = [t for t in sources.r1_trainings if f"{t['recipe']}|{t['seed']}" == key]
    if not found:
        there = sorted({f"{t['recipe']}|{t['seed']}" for t in sources.r1_trainings})
        raise SubjectError(f"No R1 checkpoint {key!r}; there are: {', '.join(there) or 'none'}.")
    scored = {row["checkpoint_digest"] for row in sources.r1_scores}
    training = next((t for t in found if t["weights_digest"] in scored), found[-1])
    _add_items(sources, trace, training, limit)
    return _add_checkpoint(sources, trace, training)


def lead_up_to_score(sources: Sources, trace: TraceBuilder, key: str, limit: int) -> NodeId:
    """Add one benchmark's scores of an R1 recipe, with their checkpoints and training questions.

    Raises:
        SubjectError: there is no such score.
    """
    rows = [r for r in sources.r1_scores if f"{r['benchmark']}|{r['recipe']}" == key]
    if not rows:
        there = sorted({f"{r['benchmark']}|{r['recipe']}" for r in sources.r1_scores})
        raise SubjectError(f"No R1 score {key!r}; there are: {', '.join(there) or 'none'}.")
    node = trace.add(score_node(key, key.replace("|", ", "), rows, Kind.R1_SCORE))
    made_of = {(r["recipe"], r["seed"], r["checkpoint_digest"]) for r in rows}
    for training in sources.r1_trainings:
        if (training["recipe"], training["seed"], training["weights_digest"]) in made_of:
            _add_items(sources, trace, training, limit)
            trace.link(_add_checkpoint(sources, trace, training, scores=False), node)
    return node


def _add_checkpoint(
    sources: Sources, trace: TraceBuilder, training: Row, *, scores: bool = True
) -> NodeId:
    weights, key = training["weights_digest"], f"{training['recipe']}|{training['seed']}"
    node = NodeId(Kind.R1_CHECKPOINT, f"{key}@{weights}")
    trace.add(
        Node(
            node,
            f"{training['recipe']}, seed {training['seed']} ({short(weights)})",
            facts(("weights", weights), ("trained on", training["data_digest"])),
            run_id=training["run_id"],
            warning=sources.withdrawal(weights),
        )
    )
    for item in read_r1_items(sources.small, training["data_digest"]):
        for kind in (Kind.PROBLEM, Kind.SEED):
            trace.link(NodeId(kind, item), node)  # only if the item is in the trace
    trace.link(NodeId(Kind.MORE, training["data_digest"]), node)
    by_benchmark: dict[str, list[Row]] = {}
    for row in sources.r1_scores if scores else ():
        if (row["checkpoint_digest"], row["seed"]) == (weights, training["seed"]):
            by_benchmark.setdefault(row["benchmark"], []).append(row)
    for benchmark, rows in by_benchmark.items():
        label = f"{benchmark}, {training['recipe']} seed {training['seed']}"
        trace.add(score_node(f"{benchmark}|{key}", label, rows, Kind.R1_SCORE), causes=(node,))
    return node


def _add_items(sources: Sources, trace: TraceBuilder, training: Row, limit: int) -> None:
    """Add at most `limit` questions of a training with their causes; the others are counted."""
    items = read_r1_items(sources.small, training["data_digest"])
    shown = items[: limit or None]
    add_candidates(sources, trace, sources.keyed("candidates", "candidate_id", shown))
    problems = {row["problem_id"] for row in add_problems(sources, trace, shown)}
    add_seeds(sources, trace, [item for item in shown if item not in problems])
    if len(items) > len(shown):
        label = f"{counted(len(items) - len(shown), 'more question')}; see --limit"
        trace.add(Node(NodeId(Kind.MORE, training["data_digest"]), label))
