"""Running of the extra checks that a collective has switched on (CADS, a-e)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.cads.extra_checks.findings import (
    consensus_without_writer,
    copied_numbers,
    suspect_label,
    text_only_leak,
)
from rolesynth_assets.cads.extra_checks.near_duplicates import (
    ProblemPrint,
    duplicates,
    problem_print,
)
from rolesynth_assets.cads.records import CandidateRecord, VerdictRecord
from rolesynth_assets.cads.round.judging import judge_all
from rolesynth_assets.cads.round.paid_calls import Calls
from rolesynth_assets.cads.values import Decision, Seed


async def check_candidate(
    calls: Calls, seed: Seed, candidate: CandidateRecord, verdicts: Sequence[VerdictRecord]
) -> tuple[CandidateRecord, list[VerdictRecord]]:
    """Fill in checks a, b, c and e of one judged candidate.

    Only kept candidates are judged without their image: if no judge solves a candidate with the
    image, the check reveals nothing, and it costs as many calls as judging.

    Args:
        calls: the round's calls to members.
        seed: the candidate's seed; its answer is not read.
        candidate: a candidate that has been judged.
        verdicts: the K verdicts on it.

    Returns:
        The candidate, and the further verdicts that were given without the image.

    Raises:
        EngineError: a judge's engine can serve no request.
    """
    switched_on = calls.collective.extra_checks
    problem = candidate.problem
    assert problem is not None  # it has been judged
    given = [record.verdict for record in verdicts]
    blind: list[VerdictRecord] = []
    if switched_on.suspect_label:
        suspect = await asyncio.to_thread(
            suspect_label,
            [verdict.answer for verdict in given],
            problem.answer,
            lambda one, other: equal_by_rule(one, other, problem.task_type, problem.question),
        )
        candidate = replace(candidate, suspect_label=suspect)
    if switched_on.copied_numbers:
        copied = copied_numbers(problem.question, problem.answer, seed.problem)
        candidate = replace(candidate, copied_numbers=copied)
    if switched_on.exclude_writer:
        without = consensus_without_writer(given, candidate.member)
        candidate = replace(candidate, consensus_without_writer=without)
    if switched_on.text_only_leak and candidate.decision is Decision.KEPT:
        blind = await judge_all(calls, candidate, with_image=False)
        leak = text_only_leak(record.verdict.correct for record in blind)
        candidate = replace(candidate, text_only_leak=leak)
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
