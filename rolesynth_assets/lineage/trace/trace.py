"""Tracing of a row, checkpoint or score to everything it came from and everything it led to."""

from __future__ import annotations

from collections.abc import Callable

from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.trace import problems as problems
from rolesynth_assets.lineage.trace import r1 as r1
from rolesynth_assets.lineage.trace import training as training
from rolesynth_assets.lineage.trace.captions import add_captions, add_images, add_pairs, add_scores
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, Trace, TraceBuilder
from rolesynth_assets.lineage.trace.rows import add_row, follow_rows, referred_rows, row_id
from rolesynth_assets.lineage.trace.sources import Sources, short
from rolesynth_assets.lineage.trace.subject import Subject, SubjectError, find_subject
from rolesynth_assets.store.lance.rows import sql_quoted
from rolesynth_assets.store.lance.schemas import TABLES, table_spec

LIMIT = 10
"""Number of rows listed of an artefact that may have thousands; the rest is counted."""


def trace(sources: Sources, text: str, *, limit: int = LIMIT) -> Trace:
    """Trace a row or an artefact to its causes and its effects.

    Old checkpoints are traced to the rows that they were trained on, even if these have changed
    since: a pin names the Lance versions of each training set
    (`rolesynth_assets.training_sets.pins`).

    Args:
        sources: the stored state.
        text: name of the subject; see `subject.find_subject`.
        limit: rows listed of a training set or a seed; 0 lists all.

    Raises:
        SubjectError: the text names nothing that is stored, or several things.
    """
    subject = find_subject(sources, text)
    builder = TraceBuilder()
    node = _follow(sources, builder, subject, limit)
    follow_rows(sources, builder, node, limit)
    built = builder.build(node)
    if node.kind is Kind.IMAGE and _is_unknown(built):
        raise SubjectError(
            f"No row has the id {short(node.key)}, and no image of that hash has been ingested, "
            "drawn or withdrawn."
        )
    return built


def _is_unknown(image: Trace) -> bool:
    node = image.nodes[image.subject]
    return not (image.edges or node.facts.get("source") or node.warning)


def _follow(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    return _WAYS.get(subject.table, _row)(sources, trace, subject, limit)


def _row(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    """A row of any other table: first the rows that it refers to, the nearest first."""
    spec = table_spec(subject.table)
    rows = sources.keyed(spec.name, spec.key, [subject.key])
    causes = referred_rows(spec, rows)
    for parent in sorted(causes, key=[*TABLES].index, reverse=True):
        for key in causes[parent]:
            if row_id(parent, key) not in trace:
                _follow(sources, trace, Subject(parent, key), limit)
    return add_row(trace, spec, rows or [{spec.key: subject.key}])


def _image(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    image = subject.key
    drawn = problems.candidates_of(sources, "image_id", [image])
    node = NodeId(Kind.IMAGE, image)
    if drawn:
        trace.add(Node(node, f"{short(image)} drawn for a candidate", {"sha256": image}))
    add_images(sources, trace, [image])
    add_captions(sources, trace, sources.keyed("captions", "image_id", [image]))
    add_scores(sources, trace, sources.keyed("scores", "image_id", [image]))
    pairs = sources.keyed("pairs", "image_id", [image])
    add_pairs(sources, trace, pairs)
    training.follow_pairs(sources, trace, "image_id", [image], pairs)
    for seed in sources.keyed("seeds", "image_ids", [image]):
        problems.add_seeds(sources, trace, [seed["seed_id"]])
        trace.link(node, NodeId(Kind.SEED, seed["seed_id"]))
        problems.follow_seed(sources, trace, seed["seed_id"], limit)
    problems.add_candidates(sources, trace, drawn)
    problems.add_problems(sources, trace, [row["candidate_id"] for row in drawn])
    for row in drawn:
        trace.link(NodeId(Kind.CANDIDATE, row["candidate_id"]), node)
    r1.follow_items(sources, trace)
    return node


def _role(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    """A role, and how many captions it has in how many shards: it may have millions."""
    node = _row(sources, trace, subject, limit)
    where = f"role_fingerprint = {sql_quoted(subject.key)}"
    shards = sources.store.read("captions", None, ["shard"], where)["shard"]
    if len(shards):
        across = counted(len(shards.unique()), "shard")
        label = f"{counted(len(shards), 'caption')} in {across}"
        trace.add(Node(NodeId(Kind.MORE, subject.key), label), causes=(node,))
    return node


def _caption(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    rows = sources.keyed("captions", "caption_id", [subject.key])
    add_images(sources, trace, [row["image_id"] for row in rows])
    add_captions(sources, trace, rows)
    add_scores(sources, trace, sources.keyed("scores", "caption_id", [subject.key]))
    pairs = sources.keyed("pairs", "caption_id", [subject.key])
    add_pairs(sources, trace, pairs)
    training.follow_pairs(sources, trace, "caption_id", [subject.key], pairs)
    return NodeId(Kind.CAPTION, subject.key)


def _seed(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    problems.add_seeds(sources, trace, [subject.key])
    problems.follow_seed(sources, trace, subject.key, limit)
    r1.follow_items(sources, trace)
    return NodeId(Kind.SEED, subject.key)


def _candidate(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    rows = problems.candidates_of(sources, "candidate_id", [subject.key])
    if rows:
        problems.lead_up_to_candidate(sources, trace, rows[0])
    problems.add_problems(sources, trace, [subject.key])
    r1.follow_items(sources, trace)
    return NodeId(Kind.CANDIDATE if rows else Kind.PROBLEM, subject.key)


def _training_set(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    row = sources.small.read("training_sets", {"recipe": subject.key}).to_dicts()
    if not row:
        raise SubjectError(f"Recipe {subject.key!r} has no training set yet.")
    wanted = row[0]["digest"]
    pin = next((p for p in sources.pins if (p.recipe, p.digest) == (subject.key, wanted)), None)
    if pin is None:
        raise SubjectError(
            f"The training set of {subject.key!r} was made before pins were kept, so its rows are "
            "not known: materialize training_sets for the recipe again."
        )
    training.lead_up_to(sources, trace, pin.recipe, pin.digest, limit)
    training.follow_training(sources, trace, pin)
    return NodeId(Kind.TRAINING_SET, f"{pin.recipe}@{pin.digest}")


def _checkpoint(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    known = [t for t in sources.trainings if t.key == subject.key]
    if not known:
        there = ", ".join(sorted({t.key for t in sources.trainings})) or "none"
        raise SubjectError(f"No checkpoint {subject.key!r}; there are: {there}.")
    one = known[0]  # the one on disk sorts first
    training.lead_up_to(sources, trace, one.recipe, one.training_set_digest, limit)
    node = training.add_checkpoint(sources, trace, one)
    trace.link(NodeId(Kind.TRAINING_SET, f"{one.recipe}@{one.training_set_digest}"), node)
    training.follow_checkpoint(sources, trace, one)
    return node


def _r1_checkpoint(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    return r1.lead_up_to(sources, trace, subject.key, limit)


def _r1_score(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    return r1.lead_up_to_score(sources, trace, subject.key, limit)


def _benchmark(sources: Sources, trace: TraceBuilder, subject: Subject, limit: int) -> NodeId:
    rows = [r for r in sources.scores if f"{r['benchmark']}|{r['recipe']}" == subject.key]
    if not rows:
        there = sorted({f"{r['benchmark']}|{r['recipe']}" for r in sources.scores})
        raise SubjectError(f"No score {subject.key!r}; there are: {', '.join(there) or 'none'}.")
    made_of = [
        one
        for one in sources.trainings
        if (one.recipe, one.weights_digest) in {(r["recipe"], r["checkpoint_digest"]) for r in rows}
    ]
    for recipe, digest in dict.fromkeys((one.recipe, one.training_set_digest) for one in made_of):
        training.lead_up_to(sources, trace, recipe, digest, limit)
    node = trace.add(training.score_node(subject.key, subject.key.replace("|", ", "), rows))
    for one in made_of:
        checkpoint = training.add_checkpoint(sources, trace, one)
        trace.link(NodeId(Kind.TRAINING_SET, f"{one.recipe}@{one.training_set_digest}"), checkpoint)
        trace.link(checkpoint, node)
    lost = {r["checkpoint_digest"] for r in rows} - {one.weights_digest for one in made_of}
    if lost:
        trace.note(f"scores of {len(lost)} checkpoints that are neither on disk nor recorded")
    return node


Way = Callable[[Sources, TraceBuilder, Subject, int], NodeId]
_WAYS: dict[str, Way] = {
    "images": _image,
    "captions": _caption,
    "roles": _role,
    "seeds": _seed,
    "candidates": _candidate,
    "problems": _candidate,
    "training_sets": _training_set,
    "clip_checkpoints": _checkpoint,
    "benchmark_scores": _benchmark,
    "r1_checkpoints": _r1_checkpoint,
    "r1_scores": _r1_score,
}
"""Assets, and tables whose rows lead to more than their foreign keys say; others go `_row`."""
