"""Nodes of a trace for seeds, candidates, verdicts, contexts and problems (CADS)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.counted import counted
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, TraceBuilder
from rolesynth_assets.lineage.trace.sources import Row, Sources, excerpt, facts, short
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.rows import all_of, any_key, sql_quoted


def add_seeds(sources: Sources, trace: TraceBuilder, ids: Sequence[str]) -> list[Row]:
    """Add seeds and return their rows; one that is no longer stored is added by its id alone."""
    rows = {row["seed_id"]: row for row in sources.keyed("seeds", "seed_id", ids)}
    for seed in dict.fromkeys(ids):
        row = rows.get(seed, {})
        images = row.get("image_ids", "").split()
        withdrawn = [sources.tombstones[i].says for i in images if i in sources.tombstones]
        trace.add(
            Node(
                NodeId(Kind.SEED, seed),
                f"{short(seed)} {excerpt(row.get('problem', 'no longer stored'))}",
                facts(
                    ("problem", row.get("problem")),
                    ("archived answer", row.get("answer")),
                    ("domain", row.get("domain")),
                    ("source", row.get("source")),
                    ("images (sha256)", ", ".join(images)),
                ),
                warning="; ".join(withdrawn),
            )
        )
    return list(rows.values())


def add_candidates(sources: Sources, trace: TraceBuilder, rows: Sequence[Row]) -> None:
    """Add candidates with their seeds, the contexts of their prompts, and their verdicts."""
    add_seeds(sources, trace, [row["seed_id"] for row in rows])
    contexts = _contexts(sources, [row["seed_id"] for row in rows])
    verdicts = sources.keyed("verdicts", "candidate_id", [row["candidate_id"] for row in rows])
    for row in rows:
        causes = [NodeId(Kind.SEED, row["seed_id"])]
        for context in contexts:
            made = digest("context", context["text"]) == row["context_digest"]
            if made and context["text"] and _earlier(context, row):
                causes.append(_add_context(trace, context))
                break
        node = trace.add(_candidate_node(sources, row), causes=tuple(causes))
        for verdict in verdicts:
            if verdict["candidate_id"] == row["candidate_id"]:
                trace.add(_verdict_node(verdict), causes=(node,))
        for context in contexts:
            same = (context["seed_id"], context["round"]) == (row["seed_id"], row["round"])
            if same and row["hard"] and context["reflection"]:
                trace.link(node, _add_context(trace, context))


def add_problems(sources: Sources, trace: TraceBuilder, ids: Sequence[str]) -> list[Row]:
    """Add the decisions of the synthetic set on candidates, and return their rows."""
    rows = sources.keyed("problems", "problem_id", ids)
    for row in rows:
        decision = "kept" if row["kept"] else f"dropped: {row['reason']}"
        trace.add(
            Node(
                NodeId(Kind.PROBLEM, row["problem_id"]),
                f"{decision} in synthetic_problems[{row['domain']}]",
                facts(
                    ("decision", decision),
                    ("detail", row["detail"]),
                    ("question", row["question"]),
                    ("answer", row["answer"]),
                    ("domain", row["domain"]),
                ),
            ),
            causes=(NodeId(Kind.CANDIDATE, row["problem_id"]),),
        )
    return rows


def follow_seed(sources: Sources, trace: TraceBuilder, seed: str, limit: int) -> None:
    """Add the candidates that grew out of a seed, round by round, and what became of them."""
    rows = sources.rows("candidates", f"seed_id = {sql_quoted(seed)}")
    rows.sort(key=lambda row: (row["round"], row["index"]))
    shown = rows[: limit or None]
    add_candidates(sources, trace, shown)
    add_problems(sources, trace, [row["candidate_id"] for row in shown])
    if len(rows) > len(shown):
        left = counted(len(rows) - len(shown), "more candidate")
        node = Node(NodeId(Kind.MORE, seed), f"{left}; see --limit")
        trace.add(node, causes=(NodeId(Kind.SEED, seed),))


def lead_up_to_candidate(sources: Sources, trace: TraceBuilder, row: Row) -> None:
    """Add a candidate and the chain of contexts before it, each with its hard candidates."""
    add_candidates(sources, trace, [row])
    before = [c for c in _contexts(sources, [row["seed_id"]]) if c["round"] < row["round"]]
    for context in before:
        if not context["reflection"]:
            continue
        node = _add_context(trace, context)
        hard = sources.rows(
            "candidates",
            all_of(
                f"seed_id = {sql_quoted(row['seed_id'])}",
                f"round = {sql_quoted(context['round'])}",
                "hard",
            )
            or "",
        )
        for sample in hard:
            trace.add(_candidate_node(sources, sample), causes=(NodeId(Kind.SEED, row["seed_id"]),))
            trace.link(NodeId(Kind.CANDIDATE, sample["candidate_id"]), node)
    made = [NodeId(Kind.CONTEXT, c["context_id"]) for c in before if c["reflection"]]
    for earlier, later in pairwise(made):
        trace.link(earlier, later)


def candidates_of(sources: Sources, column: str, values: Sequence[str]) -> list[Row]:
    """Read candidates by one of their columns, without their pictures."""
    return sources.rows("candidates", any_key(column, values)) if values else []


def _contexts(sources: Sources, seeds: Sequence[str]) -> list[Row]:
    rows = sources.keyed("contexts", "seed_id", seeds)
    return sorted(rows, key=lambda row: row["round"])


def _earlier(context: Row, candidate: Row) -> bool:
    same = (context["seed_id"], context["domain"]) == (candidate["seed_id"], candidate["domain"])
    return same and context["round"] < candidate["round"] and context["reflection"] is not None


def _candidate_node(sources: Sources, row: Row) -> Node:
    tombstone = sources.tombstones.get(row["image_id"] or "")
    consensus = f"{row['consensus']} of {row['judges']}" if row["consensus"] is not None else ""
    said = row["question"] or f"none: {row['reason']}"
    decision = row["decision"] + (", hard" if row["hard"] else "")
    return Node(
        NodeId(Kind.CANDIDATE, row["candidate_id"]),
        f"{short(row['candidate_id'])} {decision}: {excerpt(said, 70)}",
        facts(
            ("decision", decision),
            ("judges that agree (C)", consensus),
            ("question", row["question"]),
            ("answer", row["answer"]),
            ("solution", row["solution"]),
            ("strategy", row["strategy"]),
            ("strategy detail", row["strategy_detail"]),
            ("concepts", ", ".join(json.loads(row["core_concepts"] or "[]"))),
            ("drawing instruction", row["visual_prompt"]),
            ("drawn by", row["renderer"]),
            ("image", row["image_id"]),
            ("writer", f"{row['member']}: {row['model']}@{row['revision']}"),
            ("round", f"{row['round']}, number {row['round_number']} of the seed"),
            *((check.replace("_", " "), row[check]) for check in (*FINDINGS, "duplicate_of")),
            ("C without the writer", row["consensus_without_writer"]),
            ("reason", row["reason"]),
            ("detail", row["detail"]),
        ),
        run_id=row["run_id"],
        warning=tombstone.says if tombstone else "",
    )


def _verdict_node(row: Row) -> Node:
    outcome = {True: "right", False: "wrong", None: f"none: {row['reason']}"}[row["correct"]]
    blind = "" if row["with_image"] else " without the image"
    return Node(
        NodeId(Kind.VERDICT, row["verdict_id"]),
        f"{row['judge']}{blind}: {excerpt(row['answer'] or '-', 40)} ({outcome})",
        facts(
            ("answer", row["answer"]),
            ("outcome", outcome),
            ("settled by", row["decided_by"]),
            ("judge", f"{row['judge']}: {row['model']}@{row['revision']}"),
            ("is the writer", "yes" if row["is_writer"] else ""),
            ("rationale", row["rationale"]),
            ("detail", row["detail"]),
        ),
        run_id=row["run_id"],
    )


def _add_context(trace: TraceBuilder, row: Row) -> NodeId:
    return trace.add(
        Node(
            NodeId(Kind.CONTEXT, row["context_id"]),
            f"after round {row['round']}: {excerpt(row['text'], 70)}",
            facts(
                ("text", row["text"]),
                ("reflection", row["reflection"]),
                ("text before", row["before"]),
                ("hard samples", row["hard"]),
                ("optimiser", row["optimiser"]),
                ("reason", row["reason"]),
            ),
            run_id=row["run_id"],
        )
    )
