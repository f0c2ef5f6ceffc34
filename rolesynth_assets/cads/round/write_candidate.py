"""The steps in which a member makes a drawn candidate from a seed (CADS, generation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import sha256

from rolesynth_assets.cads.collective.member import ImageMode
from rolesynth_assets.cads.drawing.renderer import DrawingFailed
from rolesynth_assets.cads.prompts.replies import (
    AnalysisReply,
    ProblemReply,
    VisualReply,
    problem_reply,
)
from rolesynth_assets.cads.prompts.requests import analyse_request, visual_request, write_request
from rolesynth_assets.cads.records import CandidateRecord
from rolesynth_assets.cads.round.calls.ask_for import Answered, Unanswered, ask_for
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout
from rolesynth_assets.cads.round.transcripts import as_text, transcribe
from rolesynth_assets.cads.values import Decision, Problem, Seed, SeedContext, candidate_id
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.store.digests import seed_from

MAX_DETAIL = 2_000
"""Characters of a failure's description, and of a raw reply, that are stored."""


class Step(StrEnum):
    """The steps at which a candidate can fail; a reason is ``<step>_<reason>``."""

    TRANSCRIBE = "transcribe"
    ANALYSE = "analyse"
    WRITE = "write"
    VISUAL = "visual"
    DRAW = "draw"


@dataclass(frozen=True)
class Order:
    """One candidate to make.

    Attributes:
        seed: the seed that it is made from.
        member: the member that writes it.
        index: its number within the seed, from 0 over all rounds.
        before: the seed's context and round number before this round.
        own_questions: questions that this member wrote for the seed before, the oldest first.
    """

    seed: Seed
    member: str
    index: int
    before: SeedContext
    own_questions: Sequence[str]


async def make_candidate(calls: CallsAbout, order: Order) -> CandidateRecord:
    """Analyse, write, instruct and draw; stop at the step that fails.

    Returns:
        A record that is undecided if it has an image, and otherwise failed with its reason.

    Raises:
        EngineError: the member's engine or the renderer can serve no request.
    """
    record = _blank(calls, order)
    analysis = await _rationale(calls, order, record.candidate_id)
    if isinstance(analysis, _Failed):
        return _failed(record, analysis)
    rationale, transcripts = analysis
    problem = await _write(calls, order, record.candidate_id, rationale, transcripts)
    if isinstance(problem, Unanswered):
        return _failed(_with(record, problem.spent), _Failed(Step.WRITE, problem))
    record = replace(_with(record, problem.spent), problem=problem.value.problem())
    return await _draw(calls, order, record, problem.value.problem())


@dataclass(frozen=True)
class _Failed:
    step: Step
    why: Unanswered


def _blank(calls: CallsAbout, order: Order) -> CandidateRecord:
    identity = calls.identity(order.member)
    round_number = order.before.round_number + 1
    return CandidateRecord(
        candidate_id=candidate_id(
            order.seed.seed_id,
            round_number,
            order.member,
            identity.fingerprint(),
            order.index,
            order.before.digest,
        ),
        seed_id=order.seed.seed_id,
        round_number=round_number,
        index=order.index,
        member=order.member,
        model=identity.model,
        revision=identity.revision,
        context_digest=order.before.digest,
        decision=Decision.UNDECIDED,
        judges=calls.collective.K,
    )


async def _rationale(
    calls: CallsAbout, order: Order, key: str
) -> tuple[str, tuple[str, ...]] | _Failed:
    """Return the member's private rationale and the seed's images in words, if it needs them.

    The request is the same in every round and for every candidate of the seed and member, so all
    but the first are answered from the journal.
    """
    member = calls.collective.member(order.member)
    transcripts: list[str] = []
    if member.image_mode is ImageMode.CAPTION:
        for image in order.seed.images:
            transcript = await transcribe(calls, order.member, image, key)
            if isinstance(transcript, Unanswered):
                return _Failed(Step.TRANSCRIBE, transcript)
            transcripts.append(as_text(transcript.value))
    request = analyse_request(order.seed, member, f"{key}/analyse", transcripts=transcripts)
    analysis = await ask_for(calls, order.member, request, AnalysisReply)
    if isinstance(analysis, Unanswered):
        return _Failed(Step.ANALYSE, analysis)
    return analysis.value.rationale, tuple(transcripts)


async def _write(
    calls: CallsAbout, order: Order, key: str, rationale: str, transcripts: Sequence[str]
) -> Answered[ProblemReply] | Unanswered:
    strategies = calls.collective.strategies
    request = write_request(
        order.seed,
        rationale,
        strategies,
        order.before.text,
        order.own_questions,
        calls.collective.member(order.member),
        order.index,
        f"{key}/write",
        seed_from("cads write", order.seed.seed_id, order.member, order.index),
        transcripts=transcripts,
    )
    return await ask_for(
        calls, order.member, request, problem_reply(tuple(s.name for s in strategies))
    )


async def _draw(
    calls: CallsAbout, order: Order, record: CandidateRecord, problem: Problem
) -> CandidateRecord:
    key = record.candidate_id
    member = calls.collective.member(order.member)
    request = visual_request(problem, member, f"{key}/visual")
    visual = await ask_for(calls, order.member, request, VisualReply)
    record = _with(record, visual.spent)
    if isinstance(visual, Unanswered):
        return _failed(record, _Failed(Step.VISUAL, visual))
    record = replace(record, visual_prompt=visual.value.visual_prompt)
    drawing = await calls.draw(
        order.member,
        visual.value.visual_prompt,
        seed_from("cads draw", order.seed.seed_id, order.index),
    )
    if isinstance(drawing, DrawingFailed):
        why = Unanswered(drawing.reason, drawing.detail, "", Spent())
        return _failed(record, _Failed(Step.DRAW, why))
    return replace(
        record,
        renderer=drawing.renderer,
        image=drawing.image,
        image_id=sha256(drawing.image).hexdigest(),
    )


def _with(record: CandidateRecord, spent: Spent) -> CandidateRecord:
    return replace(record, spent=record.spent + spent)


def _failed(record: CandidateRecord, failed: _Failed) -> CandidateRecord:
    return replace(
        record,
        decision=Decision.FAILED,
        reason=f"{failed.step}_{failed.why.reason}",
        detail=in_words(failed.why),
    )


def in_words(why: Unanswered) -> str:
    """Return the reason why there is no value, with the start of the raw reply."""
    said = why.detail[:MAX_DETAIL]
    return f"{said}\nThe reply was: {why.raw[:MAX_DETAIL]}" if why.raw else said
