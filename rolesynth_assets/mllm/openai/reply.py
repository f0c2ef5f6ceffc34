"""Reading of a chat completion into a reply with text, or with the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets.mllm.openai.completion_body import mended, text_of
from rolesynth_assets.mllm.openai.finish_reason import Ending, ending

_ENDINGS = ("finish_reason", "native_finish_reason", "stop_reason")


def read_completion(
    key: str, value: object, latency_s: float, sent: Mapping[str, Any] | None = None
) -> ChatReply | None:
    """Read a chat completion; return None if it is none.

    Args:
        key: key of the request.
        value: the answer, as `read_body` returns it.
        latency_s: seconds of the attempt.
        sent: the fields that were sent beside the messages.
    """
    if not isinstance(value, dict):
        return None
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        return None
    message = choice.get("message") or choice.get("delta")  # of a stream that came as one body
    if not isinstance(message, dict):
        if "text" not in choice:
            return None
        message = {"content": choice["text"]}
    text = mended(text_of(message.get("content"))).strip()
    ends = [str(choice[name]) for name in _ENDINGS if choice.get(name) not in (None, "")]
    reason, detail = why_no_text(text, ends, mended(_refusal(message)))
    usage = value.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return ChatReply(
        key=key,
        text=text if reason is None else None,
        reason=reason,
        detail=detail,
        finish_reason=ends[0] if ends else "",
        prompt_tokens=_count(usage.get("prompt_tokens", usage.get("input_tokens"))),
        completion_tokens=_count(usage.get("completion_tokens", usage.get("output_tokens"))),
        latency_s=latency_s,
        answered_by=_name(value.get("model")),
        system_fingerprint=_name(value.get("system_fingerprint")),
        sent=sent or {},
    )


def why_no_text(
    text: str, reasons: Iterable[str], refusal: str = ""
) -> tuple[FailureReason | None, str]:
    """Return why `text` is not a complete answer, and a detail; (None, "") if it is complete.

    Args:
        text: the text.
        reasons: what the server says about its end.
        refusal: the words in which the model refused, if any.
    """
    reasons = tuple(reasons)
    if refusal:
        return FailureReason.REFUSED, refusal
    match ending(reasons):
        case Ending.FILTERED:
            return FailureReason.REFUSED, text or "stopped by the server's content filter"
        case Ending.CUT:
            return FailureReason.TRUNCATED, text
        case Ending.GAVE_UP:  # with the text written until then
            said = ", ".join(reasons)
            return FailureReason.CALL_FAILED, f"the server gave up ({said}) after: {text}"
    if not text:
        return FailureReason.EMPTY, ""
    return None, ""


def _refusal(message: Mapping[str, Any]) -> str:
    """Return the words of a refusal, which some servers send as a part of the content."""
    if refusal := message.get("refusal"):
        return str(refusal)
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    said = (part.get("refusal") for part in parts if isinstance(part, dict))
    return " ".join(str(words) for words in said if words)


def _count(tokens: object) -> int:
    try:
        return max(0, int(tokens or 0))  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return 0


def _name(value: object) -> str:
    return mended(value)[:200] if isinstance(value, str) else ""
