"""Builders of the `ChatRequest` of each step of CADS.

A seed's own answer never enters a request: the builders read only a seed's problem and images. All
text of seeds and models is put between markers (`quoted`), except for the question that a judge
answers, which is all that it reads (CADS, judging: the image and the question alone).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from rolesynth_assets.cads.prompts.blocks import (
    HardRecord,
    advice_block,
    own_questions_block,
    problem_block,
    record_block,
    seed_block,
    strategy_lines,
)
from rolesynth_assets.cads.prompts.replies import MAX_CONTEXT_WORDS
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.strategies import Strategy
from rolesynth_assets.cads.values import Problem, Seed
from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets.mllm.quoted_text import quoted
from rolesynth_assets.store.digests import seed_from

if TYPE_CHECKING:
    from rolesynth_assets.cads.collective.member import Member


def analyse_request(
    seed: Seed, member: Member, key: str, *, transcripts: Sequence[str] = ()
) -> ChatRequest:
    """Ask a member for its private rationale about a seed (CADS, seed analysis).

    Args:
        seed: the seed; its answer is not read.
        member: the member that analyses.
        key: key of the request and of its reply.
        transcripts: the seed's images in words, for a member that is not shown them.
    """
    images, said = _seed_images(seed, member)
    text = prompt("analyse").render(images=said, seed=seed_block(seed, transcripts))
    return _request("analyse", text, member.write, key, images, member.name)


def write_request(
    seed: Seed,
    rationale: str,
    strategies: Sequence[Strategy],
    context: str,
    own_questions: Sequence[str],
    member: Member,
    index: int,
    key: str,
    seed_number: int,
    *,
    transcripts: Sequence[str] = (),
) -> ChatRequest:
    """Ask a member for one new problem (CADS, generation).

    Args:
        seed: the seed; its answer is not read.
        rationale: this member's own rationale about the seed.
        strategies: strategies to choose from.
        context: generation context of the seed; empty in the first round.
        own_questions: questions that this member wrote for the seed before.
        member: the member that writes.
        index: number of the candidate within its seed, from 0; it makes otherwise equal requests
            different.
        key: key of the request and of its reply.
        seed_number: sampling seed.
        transcripts: the seed's images in words, for a member that is not shown them.
    """
    images, said = _seed_images(seed, member)
    text = prompt("write").render(
        images=said,
        seed=seed_block(seed, transcripts),
        rationale=quoted("findings", rationale),
        strategies=strategy_lines(strategies),
        context=advice_block(context),
        own_questions=own_questions_block(own_questions),
    )
    return _request("write", text, member.write, key, images, seed_number, index)


def visual_request(problem: Problem, member: Member, key: str) -> ChatRequest:
    """Ask the writer of a problem for its drawing instruction (CADS, visual prompt).

    The writer is given answer and solution, because the drawing must show what the solver has to
    find without giving the answer away.
    """
    text = prompt("visual").render(problem=problem_block(problem))
    return _request("visual", text, member.write, key, (), member.name)


def transcribe_request(image: bytes, member: Member, key: str) -> ChatRequest:
    """Ask for an image in words; this step does not know the question (CADS, judging)."""
    return _request("transcribe", prompt("transcribe").render(), member.judge, key, (image,))


def judge_request(
    question: str, evidence: bytes | str | None, member: Member, key: str
) -> ChatRequest:
    """Ask a judge to solve a problem from the image and the question alone (CADS, judging).

    Args:
        question: question of the candidate, with its options.
        evidence: the encoded image; its transcript, for a judge in caption mode; None for a judge
            that is shown neither.
        member: who judges.
        key: comes back in the reply.
    """
    if isinstance(evidence, bytes):
        step, images, text = "judge", (evidence,), prompt("judge").render(question=question)
    elif evidence is not None:
        step, images = "judge_transcript", ()
        text = prompt(step).render(
            transcript=quoted("transcript", evidence), question=quoted("problem", question)
        )
    else:
        step, images = "judge_text_only", ()
        text = prompt(step).render(question=question)
    return _request(step, text, member.judge, key, images, 0)  # 0: as in replies paid for so far


def equality_request(
    question: str, reference: str, prediction: str, member: Member, key: str
) -> ChatRequest:
    """Ask whether a judge's answer means the same as the reference (CADS, equality)."""
    text = prompt("equality").render(
        question=quoted("question", question),
        reference=quoted("reference", reference),
        prediction=quoted("prediction", prediction),
    )
    return _request("equality", text, member.judge, key)


def reflect_request(
    context: str,
    records: Sequence[HardRecord],
    images: Sequence[bytes],
    member: Member,
    key: str,
) -> ChatRequest:
    """Ask for a reflection and the context that replaces the old one (CADS, optimisation).

    Args:
        context: the old context; may be empty.
        records: the hard candidates of this seed and round only.
        images: their images in the same order; empty for an optimiser that cannot see images.
        member: the member that optimises.
        key: key of the request and of its reply.

    Raises:
        ValueError: there are no records, or the number of images differs from theirs.
    """
    if not records or (images and len(images) != len(records)):
        raise ValueError(
            f"{key}: {len(images)} images for {len(records)} hard samples; reflection takes at "
            "least one sample and either one image for each or none."
        )
    said = "Their images are not shown to you."
    if images:
        said = "Their images come before this text, in the same order."
    text = prompt("reflect").render(
        images=said,
        records="\n\n".join(
            f"Problem {number}\n{record_block(record)}"
            for number, record in enumerate(records, start=1)
        ),
        context=quoted("advice", context) if context else "None; this is the first.",
        words=str(MAX_CONTEXT_WORDS),
    )
    return _request("reflect", text, member.write, key, tuple(images))


def _request(
    step: str,
    text: str,
    sampling: Sampling,
    key: str,
    images: tuple[bytes, ...] = (),
    *salt: str | int,
) -> ChatRequest:
    """Build the request of a step; its sampling seed is derived from all that the model reads."""
    system = prompt(step).system
    shown = [sha256(image).hexdigest() for image in images]
    return ChatRequest(
        key=key,
        system=system,
        prompt=text,
        sampling=sampling,
        seed=seed_from("cads", step, system, text, *shown, *salt),
        images=images,
        json_mode=True,
    )


def _seed_images(seed: Seed, member: Member) -> tuple[tuple[bytes, ...], str]:
    """Return the images that a member is shown, and the prompt's words for them."""
    count = len(seed.images)
    if not count:
        return (), "no image"
    said = "one image" if count == 1 else f"{count} images"
    if member.image_mode == "native":
        return seed.images, f"{said}, shown before this text"
    return (), f"{said}, not shown to you"
