"""Judging of a candidate: the judges' answers, compared with the reference (CADS, judging)."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.cads.collective.member import ImageMode
from rolesynth_assets.cads.prompts.replies import EqualityReply, JudgeReply
from rolesynth_assets.cads.prompts.requests import equality_request, judge_request
from rolesynth_assets.cads.records import CandidateRecord, VerdictRecord
from rolesynth_assets.cads.round.calls.ask_for import Answered, Unanswered, ask_for
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout
from rolesynth_assets.cads.round.task_group import concurrently
from rolesynth_assets.cads.round.transcripts import as_text, transcribe
from rolesynth_assets.cads.values import DecidedBy, Problem, StepReason, Verdict
from rolesynth_assets.mllm.cost.spent import Spent


async def judge_all(
    calls: CallsAbout, candidate: CandidateRecord, *, with_image: bool = True
) -> list[VerdictRecord]:
    """Let every judge, the writer included, answer a candidate.

    Args:
        calls: the calls about the seed.
        candidate: a candidate with an image.
        with_image: False asks the judges without the image (text-only leak check).

    Returns:
        K records in the order of the collective's judges; a missing verdict has a record with its
        reason, and its `correct` is None.

    Raises:
        EngineError: a judge's engine can serve no request.
    """
    about = calls.also(candidate.image_id)
    return await concurrently(
        _judge(about, judge, candidate, with_image) for judge in calls.collective.judges
    )


async def _judge(
    calls: CallsAbout, judge: str, candidate: CandidateRecord, with_image: bool
) -> VerdictRecord:
    problem, image = candidate.problem, candidate.image
    if problem is None or image is None:
        raise ValueError(
            f"Candidate {candidate.candidate_id} has no image, so it cannot be judged."
        )
    identity = calls.identity(judge)
    key = f"{candidate.candidate_id}/{judge}/{'judge' if with_image else 'leak'}"
    verdict, spent = await _answer(calls, judge, problem, image if with_image else None, key)
    if verdict.answer is not None:
        verdict, settling = await _settle(calls, verdict, problem, key)
        spent += settling
    return VerdictRecord(
        candidate_id=candidate.candidate_id,
        verdict=verdict,
        model=identity.model,
        revision=identity.revision,
        with_image=with_image,
        is_writer=judge == candidate.member,
        spent=spent,
    )


async def _answer(
    calls: CallsAbout, judge: str, problem: Problem, image: bytes | None, key: str
) -> tuple[Verdict, Spent]:
    """Ask a judge, in its own image mode; it gets only the question and the image."""
    member = calls.collective.member(judge)
    evidence: bytes | str | None = None
    spent = Spent()
    if image is not None and member.image_mode is ImageMode.NATIVE:
        evidence = image
    elif image is not None and member.image_mode is ImageMode.CAPTION:
        transcript = await transcribe(calls, judge, image, key)
        spent = transcript.spent
        if isinstance(transcript, Unanswered):
            detail = f"{member.transcriber} could not transcribe the image: {transcript.detail}"
            missing = Verdict(
                judge, None, None, reason=transcript.reason, detail=detail, raw=transcript.raw
            )
            return missing, spent
        evidence = as_text(transcript.value)
    reply = await ask_for(
        calls, judge, judge_request(problem.question, evidence, member, key), JudgeReply
    )
    spent += reply.spent
    if isinstance(reply, Unanswered):
        return (
            Verdict(judge, None, None, reason=reply.reason, detail=reply.detail, raw=reply.raw),
            spent,
        )
    answer = Verdict(
        judge, reply.value.answer, None, rationale=reply.value.reasoning, raw=reply.raw
    )
    if reply.value.insufficient:  # even if that is also the writer's reference
        answer = replace(answer, correct=False, decided_by=DecidedBy.RULE)
    return answer, spent


async def _settle(
    calls: CallsAbout, verdict: Verdict, problem: Problem, key: str
) -> tuple[Verdict, Spent]:
    """Compare an answer with the reference: by rules, then by the equaliser if there is one.

    Without an equaliser, an answer that the rules do not find equal counts as different, so
    equality is exact match after normalisation and nothing else.
    """
    if verdict.correct is not None:
        return verdict, Spent()
    assert verdict.answer is not None
    # in a thread, because comparing a hard expression takes time
    equal = await asyncio.to_thread(
        equal_by_rule, problem.answer, verdict.answer, problem.task_type, problem.question
    )
    equaliser = calls.collective.equaliser
    if equal is not None or equaliser is None:
        return replace(verdict, correct=bool(equal), decided_by=DecidedBy.RULE), Spent()
    request = equality_request(
        problem.question,
        problem.answer,
        verdict.answer,
        calls.collective.member(equaliser),
        f"{key}/equality",
    )
    settled = await ask_for(calls, equaliser, request, EqualityReply)
    if isinstance(settled, Answered):
        verdict = replace(
            verdict,
            correct=settled.value.equivalent,
            decided_by=DecidedBy.MODEL,
            detail=settled.value.reason,
        )
    else:
        detail = f"{equaliser}, {settled.reason}: {settled.detail}"
        verdict = replace(verdict, reason=StepReason.EQUALITY_FAILED, detail=detail)
    return verdict, settled.spent
