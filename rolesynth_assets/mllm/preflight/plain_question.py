"""A plain question to a model that is shown no pictures, which a server may refuse."""

from __future__ import annotations

from collections.abc import Mapping

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling

_SYSTEM = "You answer in one word."
_PROMPT = "Name a primary colour."


def plain_request(sampling: Sampling) -> ChatRequest:
    """Return the request.

    Args:
        sampling: sampling of the work that follows.
    """
    return ChatRequest("plain", _SYSTEM, _PROMPT, sampling, seed=0)


def unanswered(replies: Mapping[str, ChatReply]) -> str:
    """Return why the model does not answer; empty if it does, or failed for a transient reason."""
    for reply in replies.values():
        if reply.text is None and reply.reason is not None and not reply.reason.transient:
            if reply.reason is FailureReason.TRUNCATED:
                continue
            said = f": {reply.detail}" if reply.detail else ""
            return f"{reply.reason}{said}"
    return ""
