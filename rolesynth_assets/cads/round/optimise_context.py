"""Optimisation of a seed's context by reflection on hard samples (CADS, context optimisation)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rolesynth_assets.cads.collective.member import ImageMode
from rolesynth_assets.cads.prompts.blocks import HardRecord
from rolesynth_assets.cads.prompts.replies import ContextReply
from rolesynth_assets.cads.prompts.requests import reflect_request
from rolesynth_assets.cads.records import CandidateRecord, ContextRecord
from rolesynth_assets.cads.round.calls.ask_for import Unanswered, ask_for
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout
from rolesynth_assets.cads.round.transcripts import as_text, transcribe
from rolesynth_assets.cads.round.write_candidate import in_words
from rolesynth_assets.cads.values import Verdict


@dataclass(frozen=True)
class HardSample:
    """A hard candidate of this round with every judge's verdict."""

    candidate: CandidateRecord
    verdicts: Sequence[Verdict]


async def optimise(
    calls: CallsAbout, context: ContextRecord, hard: Sequence[HardSample]
) -> ContextRecord:
    """Let the optimiser rewrite a context from the hard samples of one seed and one round.

    Args:
        calls: the calls about the seed.
        context: the context record that the round would have without optimisation.
        hard: samples with 1 <= C < K, of this seed and round only.

    Returns:
        `context` itself if there is no hard sample; otherwise `context` with the new text and the
        reflection, or with the old text and the reason why there is no new one.

    Raises:
        EngineError: the optimiser's engine can serve no request.
    """
    if not hard:
        return context
    optimiser = calls.collective.optimiser
    key = f"{context.seed_id}/{context.round_number}/reflect"
    context = replace(context, hard=len(hard), optimiser=optimiser)
    calls = calls.also(*(sample.candidate.image_id for sample in hard))
    records, images = await _evidence(calls, optimiser, hard, key)
    member = calls.collective.member(optimiser)
    request = reflect_request(context.before, records, images, member, key)
    reply = await ask_for(calls, optimiser, request, ContextReply)
    if isinstance(reply, Unanswered):
        return replace(context, reason=reply.reason, detail=in_words(reply))
    return replace(context, text=reply.value.optimized_context, reflection=reply.value.reflection)


async def _evidence(
    calls: CallsAbout, optimiser: str, hard: Sequence[HardSample], key: str
) -> tuple[list[HardRecord], list[bytes]]:
    """Return the samples as the optimiser reads them, and the images if it can see images.

    A transcript that fails is left out: verdicts and solution still show what happened.
    """
    mode = calls.collective.member(optimiser).image_mode
    records: list[HardRecord] = []
    images: list[bytes] = []
    for sample in hard:
        problem, image = sample.candidate.problem, sample.candidate.image
        if problem is None or image is None:
            raise ValueError(f"Candidate {sample.candidate.candidate_id} is not a hard sample.")
        record = HardRecord(problem, sample.verdicts)
        if mode is ImageMode.NATIVE:
            images.append(image)
        elif mode is ImageMode.CAPTION:
            transcript = await transcribe(calls, optimiser, image, key)
            if not isinstance(transcript, Unanswered):
                record = replace(record, transcript=as_text(transcript.value))
        records.append(record)
    return records, images
