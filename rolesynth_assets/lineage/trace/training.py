"""Nodes of a trace for training sets, checkpoints and benchmark scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.clip.checkpoint.recorded_trainings import RecordedTraining
from rolesynth_assets.clip.recipe import Cut, Text
from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.trace.captions import add_captions, add_images, add_pairs, add_scores
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, TraceBuilder
from rolesynth_assets.lineage.trace.sources import (
    Row,
    Sources,
    facts,
    short,
)
from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.training_sets.pins import (
    Pin,
    chosen_captions,
    first_pinned_rows,
    pinned_rows,
    sizes_of,
)

if TYPE_CHECKING:
    import polars as pl

Group = tuple[str, str]  # role and length kind


def follow_pairs(
    sources: Sources, trace: TraceBuilder, column: str, values: Sequence[str], now: Sequence[Row]
) -> None:
    """Add every training set that has one of the captions, with its checkpoints and scores.

    Args:
        sources: the stored state.
        trace: the trace to extend.
        column: ``caption_id`` or ``image_id``.
        values: ids that select the captions.
        now: rows of ``pairs`` at the latest version that are already in the trace.
    """
    latest = sources.store.version("pairs")
    stored: dict[int, list[Row]] = {latest: list(now)}
    known = {row["caption_id"] for row in now}
    for pin in sources.pins:
        version = pin.versions["pairs"]
        try:
            rows = stored.setdefault(version, [])
            if not rows and version != latest:
                rows.extend(sources.keyed("pairs", column, values, version))
        except MissingVersionError as error:
            trace.note(f"training set of {pin.recipe} ({short(pin.digest)}): {error}")
            continue
        mine = [row for row in rows if row["role_set"] == pin.role_set]
        chosen = _chosen(sources, pin, mine, version)
        if not chosen:
            continue
        training_set = add_training_set(sources, trace, pin)
        follow_training(sources, trace, pin)
        details = [row for row in mine if row["caption_id"] in chosen]
        _add_earlier_rows(sources, trace, [r for r in details if r["caption_id"] not in known], pin)
        by_role_set = pin.cut is Cut.SCORES and pin.own is None
        pairs = [row for row in details if row["kept"]] if by_role_set else details
        unchanged = version == latest or all(row in now for row in pairs)
        for node in add_pairs(sources, trace, pairs, None if unchanged else version):
            trace.link(node, training_set)


def add_training_set(sources: Sources, trace: TraceBuilder, pin: Pin) -> NodeId:
    """Add a training set."""
    return trace.add(
        Node(
            NodeId(Kind.TRAINING_SET, f"{pin.recipe}@{pin.digest}"),
            f"{pin.recipe} ({short(pin.digest)})",
            facts(
                ("recipe", pin.recipe),
                ("digest", pin.digest),
                ("recipe digest", pin.recipe_digest),
                ("role set", pin.role_set),
                ("cut", f"{pin.cut}, {' and '.join(pin.lengths)} captions"),
                ("own decision", pin.own.describe() if pin.own else ""),
                ("trained text", "" if pin.text is Text.WHOLE else str(pin.text)),
                ("lance versions", ", ".join(f"{t} {v}" for t, v in pin.versions.items())),
            ),
            run_id=pin.run_id,
            warning=sources.withdrawal(pin.digest),
        )
    )


def follow_training(sources: Sources, trace: TraceBuilder, pin: Pin) -> None:
    """Add the checkpoints trained on a training set, and their benchmark scores."""
    training_set = NodeId(Kind.TRAINING_SET, f"{pin.recipe}@{pin.digest}")
    scored = {row["checkpoint_digest"] for row in sources.scores}
    for training in sources.trainings:
        if (training.recipe, training.training_set_digest) != (pin.recipe, pin.digest):
            continue
        if training.folder is None and training.weights_digest not in scored:
            continue
        checkpoint = add_checkpoint(sources, trace, training)
        trace.link(training_set, checkpoint)
        follow_checkpoint(sources, trace, training)


def add_checkpoint(sources: Sources, trace: TraceBuilder, training: RecordedTraining) -> NodeId:
    """Add a checkpoint, overwritten or not."""
    manifest = training.manifest
    gone = "" if training.folder else "another training took its place on disk"
    return trace.add(
        Node(
            NodeId(Kind.CHECKPOINT, f"{training.key}@{training.weights_digest}"),
            f"{training.recipe}, seed {training.seed} ({short(training.weights_digest)})",
            facts(
                ("recipe", training.recipe),
                ("seed", training.seed),
                ("weights", training.weights_digest),
                ("folder", training.folder),
                ("trained on", training.training_set_digest),
                ("steps", manifest.steps if manifest else ""),
                ("pairs", f"{manifest.pairs:,}" if manifest else ""),
                ("images", f"{manifest.images:,}" if manifest else ""),
            ),
            run_id=training.run_id,
            warning=sources.withdrawal(training.weights_digest) or gone,
        )
    )


def follow_checkpoint(sources: Sources, trace: TraceBuilder, training: RecordedTraining) -> None:
    """Add the benchmark scores of a checkpoint."""
    by_benchmark: dict[str, list[Row]] = {}
    for row in sources.scores:
        if row["checkpoint_digest"] == training.weights_digest and row["seed"] == training.seed:
            by_benchmark.setdefault(row["benchmark"], []).append(row)
    for benchmark, rows in by_benchmark.items():
        key = f"{benchmark}|{training.key}"
        trace.add(
            score_node(key, f"{benchmark}, {training.recipe} seed {training.seed}", rows),
            causes=(NodeId(Kind.CHECKPOINT, f"{training.key}@{training.weights_digest}"),),
        )


def score_node(
    key: str, label: str, rows: Sequence[Row], kind: Kind = Kind.BENCHMARK_SCORE
) -> Node:
    """Return a node for the scores of one benchmark."""
    seeds = {row["seed"] for row in rows}
    details = [
        (
            row["metric"] + (f", seed {row['seed']}" if len(seeds) > 1 else ""),
            f"{row['value']:.1%} [{row['low']:.1%}, {row['high']:.1%}] of {row['n']:,}"
            + (f", chance {row['chance']:.1%}" if row["chance"] is not None else ""),
        )
        for row in rows
    ]
    best = f"{rows[0]['metric']} {rows[0]['value']:.1%}"
    runs = {row["run_id"] for row in rows}
    return Node(
        NodeId(kind, key),
        f"{label}: {best}",
        facts(*details),
        run_id=runs.pop() if len(runs) == 1 else "",
    )


def lead_up_to(
    sources: Sources, trace: TraceBuilder, recipe: str, training_set_digest: str, limit: int
) -> None:
    """Add the training set of a recipe that a checkpoint names, and its rows.

    At most `limit` rows are listed, those with the smallest caption ids; the others are counted.
    """
    named = recipe, training_set_digest
    pin = next((p for p in sources.pins if (p.recipe, p.digest) == named), None)
    if pin is None:
        trace.note(
            f"training set {short(training_set_digest)}: its rows are not known, because it was "
            "made before pins were kept. Materialize training_sets for the recipe again."
        )
        return
    node = add_training_set(sources, trace, pin)
    try:
        rows, sizes = _listed(sources, pin, limit)
    except MissingVersionError as error:
        trace.note(f"training set of {pin.recipe} ({short(pin.digest)}): {error}")
        return
    _add_rows(sources, trace, pin, rows["caption_id"].to_list(), node)
    if rows.height < sum(sizes.values()):
        trace.add(_more(rows, sizes, pin))
        trace.link(NodeId(Kind.MORE, node.key), node)


def _listed(sources: Sources, pin: Pin, limit: int) -> tuple[pl.DataFrame, Mapping[Group, int]]:
    """Read the first rows of a training set, and count all of them by role and length."""
    if limit and pin.sizes:
        return first_pinned_rows(sources.store, pin, limit), pin.sizes
    rows = pinned_rows(sources.store, pin)
    return rows.head(limit or rows.height), sizes_of(rows)


def _add_rows(
    sources: Sources, trace: TraceBuilder, pin: Pin, captions: Sequence[str], node: NodeId
) -> None:
    """Add listed rows of a training set with their causes, at its pinned versions."""
    version = pin.versions["pairs"]
    rows = sources.keyed("pairs", "caption_id", captions, version)
    mine = [row for row in rows if row["role_set"] == pin.role_set]
    _add_earlier_rows(sources, trace, mine, pin)
    latest = version == sources.store.version("pairs")
    for pair in add_pairs(sources, trace, mine, None if latest else version):
        trace.link(pair, node)


def _add_earlier_rows(
    sources: Sources, trace: TraceBuilder, pairs: Sequence[Row], pin: Pin
) -> None:
    """Add images, captions and scores of pairs, at the versions of the training set's pin."""
    if not pairs:
        return
    ids = [row["caption_id"] for row in pairs]
    add_images(sources, trace, [row["image_id"] for row in pairs], pin.versions["images"])
    try:
        captions, scores = (
            # the few rows are filtered here, because a predicate would read one more whole column
            [row for row in found if row["role_set"] == pin.role_set]
            for found in (
                sources.keyed(table, "caption_id", ids, pin.versions[table])
                for table in ("captions", "scores")
            )
        )
    except MissingVersionError as error:
        trace.note(f"captions of {pin.recipe} ({short(pin.digest)}): {error}")
        return
    add_captions(sources, trace, captions, pin.versions["roles"])
    add_scores(sources, trace, scores)


def _chosen(sources: Sources, pin: Pin, rows: Sequence[Row], version: int) -> set[str]:
    """Return which captions of some rows of ``pairs`` a training set contains."""
    whole = rows
    if rows and pin.own and pin.own.needs_whole_images:
        images = [row["image_id"] for row in rows]
        found = sources.keyed("pairs", "image_id", images, version)
        whole = [row for row in found if row["role_set"] == pin.role_set]
    return chosen_captions(pin, whole) & {row["caption_id"] for row in rows}


def _more(listed: pl.DataFrame, sizes: Mapping[Group, int], pin: Pin) -> Node:
    """Return a node with the number of rows that are not listed."""
    shown = sizes_of(listed)
    left = {group: n - shown.get(group, 0) for group, n in sizes.items()}
    return Node(
        NodeId(Kind.MORE, f"{pin.recipe}@{pin.digest}"),
        counted(sum(left.values()), "more pair"),
        facts(*((f"{role}, {length}", f"{n:,}") for (role, length), n in left.items() if n)),
    )
