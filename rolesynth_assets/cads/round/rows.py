"""Conversion of a round's records to rows of the store, and what the next round reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.near_duplicates import ProblemPrint, problem_print
from rolesynth_assets.cads.records import (
    CandidateRecord,
    ContextRecord,
    RoundOutcome,
    VerdictRecord,
)
from rolesynth_assets.cads.values import Decision, SeedContext
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader


class MissingRoundError(RuntimeError):
    """A round builds on one that is not in the store; the message names it."""


def candidate_rows(outcome: RoundOutcome) -> pa.Table:
    """Return a round's candidates as rows of the table ``candidates``."""
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import CANDIDATES

    rows = [{**_place(outcome), **_candidate(record)} for record in outcome.candidates]
    return pa.Table.from_pylist(rows, schema=CANDIDATES.schema)


def verdict_rows(outcome: RoundOutcome) -> pa.Table:
    """Return a round's verdicts as rows of the table ``verdicts``."""
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import VERDICTS

    rows = [{**_place(outcome), **_verdict(record)} for record in outcome.verdicts]
    return pa.Table.from_pylist(rows, schema=VERDICTS.schema)


def context_rows(outcome: RoundOutcome) -> pa.Table:
    """Return a round's contexts as rows of the table ``contexts``, one per seed."""
    import pyarrow as pa

    from rolesynth_assets.store.lance.schemas import CONTEXTS

    rows = [
        {**_place(outcome), **_context(record, outcome.domain, outcome.round_key)}
        for record in outcome.contexts
    ]
    return pa.Table.from_pylist(rows, schema=CONTEXTS.schema)


def read_previous(
    store: StoreReader, domain: str, previous_round_key: str | None
) -> tuple[dict[str, SeedContext], dict[tuple[str, str], list[str]]]:
    """Read the input of a round: contexts by seed, and questions by seed and member.

    Args:
        store: store with the tables ``contexts`` and ``candidates``.
        domain: the round's domain.
        previous_round_key: partition key of the previous round; None for the first.

    Returns:
        Contexts after the previous round, and all questions written until then, the oldest first.
        Both are empty for the first round of a domain.

    Raises:
        MissingRoundError: the previous round is not in the store, although an earlier one is.
            Without it, all seeds would start again from the beginning.
    """
    if previous_round_key is None:
        return {}, {}
    partition = {"domain": domain, "round": previous_round_key}
    columns = ["seed_id", "round_number", "text", "dealt"]
    contexts = {
        row["seed_id"]: SeedContext(**row)
        for row in store.read("contexts", partition, columns).to_pylist()
    }
    until = _until(previous_round_key)
    if not contexts:
        rounds = store.read("contexts", {"domain": domain}, ["round"], until)["round"].to_pylist()
        if rounds:
            raise MissingRoundError(
                f"Domain {domain!r} has round {max(rounds)} but not round {previous_round_key}, on "
                "which this one builds. Materialize cads_rounds for it first."
            )
    columns = ["seed_id", "member", "round_number", "index", "question"]
    written = store.read(
        "candidates", {"domain": domain}, columns, f"{until} AND question IS NOT NULL"
    )
    questions: dict[tuple[str, str], list[str]] = {}
    for row in sorted(written.to_pylist(), key=lambda row: (row["round_number"], row["index"])):
        questions.setdefault((row["seed_id"], row["member"]), []).append(row["question"])
    return contexts, questions


def read_prints(
    store: StoreReader, domain: str, previous_round_key: str | None
) -> list[ProblemPrint]:
    """Return the prints of the problems that a domain's rounds kept until then (check d)."""
    if previous_round_key is None:
        return []
    columns = ["candidate_id", "question", "answer", "image"]
    kept = f"{_until(previous_round_key)} AND decision = '{Decision.KEPT}'"
    return [
        problem_print(row["candidate_id"], row["question"], row["answer"], row["image"])
        for batch in store.batches("candidates", {"domain": domain}, columns, kept)
        for row in batch.to_pylist()
    ]


def _until(round_key: str) -> str:
    """Return a predicate for all rounds until one; their keys are time windows and sort by time."""
    from rolesynth_assets.store.lance.rows import quoted

    return f"round <= {quoted(round_key)}"


def _place(outcome: RoundOutcome) -> dict[str, object]:
    return {"domain": outcome.domain, "round": outcome.round_key, "run_id": outcome.run_id}


def _candidate(record: CandidateRecord) -> dict[str, object]:
    problem = record.problem
    written: dict[str, object] = {}
    if problem is not None:
        written = {
            "strategy": problem.strategy,
            "strategy_detail": problem.strategy_detail,
            "task_type": problem.task_type,
            "claimed_domain": problem.domain,
            "core_concepts": json.dumps(problem.core_concepts, ensure_ascii=False),
            "question": problem.question,
            "answer": problem.answer,
            "solution": problem.solution,
        }
    return {
        "candidate_id": record.candidate_id,
        "seed_id": record.seed_id,
        "round_number": record.round_number,
        "index": record.index,
        "member": record.member,
        "model": record.model,
        "revision": record.revision,
        "context_digest": record.context_digest,
        **written,
        "visual_prompt": record.visual_prompt,
        "renderer": record.renderer,
        "image_id": record.image_id,
        "image": record.image,
        "decision": record.decision,
        "reason": record.reason,
        "detail": record.detail,
        "judges": record.judges,
        "consensus": record.consensus,
        "hard": record.hard,
        "text_only_leak": record.text_only_leak,
        "suspect_label": record.suspect_label,
        "copied_numbers": record.copied_numbers,
        "duplicate_of": record.duplicate_of,
        "consensus_without_writer": record.consensus_without_writer,
        "calls": record.spent.calls,
        "prompt_tokens": record.spent.prompt_tokens,
        "completion_tokens": record.spent.completion_tokens,
    }


def _verdict(record: VerdictRecord) -> dict[str, object]:
    verdict = record.verdict
    return {
        "verdict_id": record.verdict_id,
        "candidate_id": record.candidate_id,
        "judge": verdict.judge,
        "model": record.model,
        "revision": record.revision,
        "with_image": record.with_image,
        "is_writer": record.is_writer,
        "answer": verdict.answer,
        "correct": verdict.correct,
        "decided_by": verdict.decided_by,
        "reason": verdict.reason,
        "detail": verdict.detail,
        "rationale": verdict.rationale,
        "raw": verdict.raw,
        "prompt_tokens": record.spent.prompt_tokens,
        "completion_tokens": record.spent.completion_tokens,
        "latency_s": record.spent.latency_s,
    }


def _context(record: ContextRecord, domain: str, round_key: str) -> dict[str, object]:
    return {
        "context_id": digest("context row", domain, round_key, record.seed_id),
        "seed_id": record.seed_id,
        "round_number": record.round_number,
        "before": record.before,
        "text": record.text,
        "reflection": record.reflection,
        "hard": record.hard,
        "dealt": record.dealt,
        "optimiser": record.optimiser,
        "reason": record.reason,
        "detail": record.detail,
    }
