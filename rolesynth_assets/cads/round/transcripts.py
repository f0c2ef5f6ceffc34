"""Transcripts of images, for a member that cannot see images (CADS, caption mode)."""

from __future__ import annotations

from rolesynth_assets.cads.prompts.replies import TranscriptReply
from rolesynth_assets.cads.prompts.requests import transcribe_request
from rolesynth_assets.cads.round.calls.ask_for import Answered, Unanswered, ask_for
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout


async def transcribe(
    calls: CallsAbout, member: str, image: bytes, key: str
) -> Answered[TranscriptReply] | Unanswered:
    """Let a member's transcriber describe an image in words, without the question.

    Other requests for the same image from the same transcriber get the same transcript.

    Raises:
        EngineError: the transcriber's engine can serve no request.
    """
    transcriber = calls.collective.member(member).transcriber
    assert transcriber is not None  # a collective refuses caption mode without one
    request = transcribe_request(image, calls.collective.member(transcriber), f"{key}/transcribe")
    return await ask_for(calls, transcriber, request, TranscriptReply)


def as_text(transcript: TranscriptReply) -> str:
    """Return a transcript as text for a prompt."""
    parts = [transcript.description]
    if transcript.visible_text:
        parts.append(f"Text in the image:\n{transcript.visible_text}")
    if transcript.uncertainties:
        parts.append(f"Not certain:\n{transcript.uncertainties}")
    return "\n".join(parts)
