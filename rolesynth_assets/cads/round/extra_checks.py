"""Running of the extra checks that a collective has switched on (CADS, a-e)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rolesynth_assets.cads.extra_checks.findings import (
    EXCLUDE_WRITER,
    FINDINGS,
    JudgedCandidate,
    consensus_without_writer,
)
from rolesynth_assets.cads.extra_checks.near_duplicates import (
    ProblemPrint,
    duplicates,
    problem_print,
)
from rolesynth_assets.cads.records import CandidateRecord, VerdictRecord
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout
from rolesynth_assets.cads.round.judging import judge_all
from rolesynth_assets.cads.values import Decision, Seed


async def check_candidate(
    calls: CallsAbout, seed: Seed, candidate: CandidateRecord, verdicts: Sequence[VerdictRecord]
) -> tuple[CandidateRecord, list[VerdictRecord]]:
    """Fill in every check of one judged candidate but the duplicates.

    Args:
        calls: the calls about the seed.
        seed: the candidate's seed; its answer is not read.
        candidate: a candidate that has been judged.
        verdicts: the K verdicts on it.

    Returns:
        The candidate, and the further verdicts that were given without the image.

    Raises:
        EngineError: a judge's engine can serve no request.
    """
    switched_on = calls.collective.extra_checks
    assert candidate.problem is not None  # it has been judged
    kept = candidate.decision is Decision.KEPT
    wanted = {
        name: finding
        for name, finding in FINDINGS.items()
        if name in switched_on and (kept or not finding.needs_blind)
    }
    blind: list[VerdictRecord] = []
    if any(finding.needs_blind for finding in wanted.values()):
        blind = await judge_all(calls, candidate, with_image=False)
    given = [record.verdict for record in verdicts]
    judged = JudgedCandidate(
        candidate.problem, seed.problem, given, [record.verdict for record in blind]
    )
    found = {name: await asyncio.to_thread(wanted[name].find, judged) for name in wanted}
    candidate = replace(candidate, findings=found)
    if EXCLUDE_WRITER in switched_on:
        without = consensus_without_writer(given, candidate.member)
        candidate = replace(candidate, consensus_without_writer=without)
    return candidate, blind


def kept_prints(candidates: Iterable[CandidateRecord]) -> list[ProblemPrint]:
    """Return the prints of the kept candidates, by which problems are compared."""
    return [
        problem_print(c.candidate_id, c.problem.question, c.problem.answer, c.image)
        for c in candidates
        if c.decision is Decision.KEPT and c.problem is not None and c.image is not None
    ]


def mark_duplicates(
    candidates: Sequence[CandidateRecord], earlier: Iterable[ProblemPrint]
) -> list[CandidateRecord]:
    """Fill in check d: kept candidates that repeat a kept one of this round or an earlier one.

    Args:
        candidates: candidates of one round of a domain.
        earlier: prints of the problems that the domain's earlier rounds kept.
    """
    copies = duplicates(kept_prints(candidates), earlier)
    return [replace(c, duplicate_of=copies.get(c.candidate_id)) for c in candidates]
