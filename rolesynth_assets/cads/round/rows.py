"""Conversion of a round's records to rows of the store, and what the next round reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.cads.extra_checks.near_duplicates import ProblemPrint, problem_print
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.values import Decision, SeedContext
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.store.lance.reader import StoreReader


class MissingRoundError(RuntimeError):
    """A round builds on one that is not in the store; the message names it."""


def candidate_rows(outcome: RoundOutcome) -> pa.Table:
    """Return a round's candidates as rows of the table ``candidates``."""
    from rolesynth_assets.store.lance.records import rows_of
    from rolesynth_assets.store.lance.schemas import CANDIDATES

    problems = [record.problem for record in outcome.candidates]
    return rows_of(
        CANDIDATES,
        outcome.candidates,
        **_place(outcome),
        claimed_domain=[problem and problem.domain for problem in problems],
        core_concepts=[
            problem and json.dumps(problem.core_concepts, ensure_ascii=False)
            for problem in problems
        ],
        **{name: [r.findings.get(name) for r in outcome.candidates] for name in FINDINGS},
        without=["cost", "latency_s", "findings"],
    )


def verdict_rows(outcome: RoundOutcome) -> pa.Table:
    """Return a round's verdicts as rows of the table ``verdicts``."""
    from rolesynth_assets.store.lance.records import rows_of
    from rolesynth_assets.store.lance.schemas import VERDICTS

    return rows_of(VERDICTS, outcome.verdicts, **_place(outcome), without=["calls", "cost"])


def context_rows(outcome: RoundOutcome) -> pa.Table:
    """Return a round's contexts as rows of the table ``contexts``, one for each seed."""
    from rolesynth_assets.store.lance.records import rows_of
    from rolesynth_assets.store.lance.schemas import CONTEXTS

    ids = [
        digest("context row", outcome.domain, outcome.round_key, record.seed_id)
        for record in outcome.contexts
    ]
    return rows_of(CONTEXTS, outcome.contexts, **_place(outcome), context_id=ids)


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
    """Rounds are time windows, so their keys sort as they follow each other."""
    from rolesynth_assets.store.lance.rows import sql_quoted

    return f"round <= {sql_quoted(round_key)}"


def _place(outcome: RoundOutcome) -> dict[str, str]:
    return {"domain": outcome.domain, "round": outcome.round_key, "run_id": outcome.run_id}
