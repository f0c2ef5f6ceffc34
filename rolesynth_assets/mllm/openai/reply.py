"""Parsing of a chat completion into a reply with text, or with the reason why there is none."""

from pydantic import BaseModel, Field, ValidationError

from rolesynth_assets.mllm.engine import ChatReply, FailureReason


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    """The fields that are read; servers add or omit others."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def read_completion(key: str, body: bytes, latency_s: float) -> ChatReply | None:
    """Parse the body of a chat completion; return None if it is not a chat completion."""
    try:
        completion = _Completion.model_validate_json(body)
    except ValidationError:
        return None
    choice = completion.choices[0]
    usage = completion.usage or _Usage()
    text = (choice.message.content or "").strip()
    finish_reason = choice.finish_reason or ""
    reason, detail = why_no_text(text, finish_reason, choice.message.refusal)
    return ChatReply(
        key=key,
        text=text if reason is None else None,
        reason=reason,
        detail=detail,
        finish_reason=finish_reason,
        prompt_tokens=usage.prompt_tokens or 0,
        completion_tokens=usage.completion_tokens or 0,
        latency_s=latency_s,
    )


def why_no_text(
    text: str, finish_reason: str, refusal: str | None = None
) -> tuple[FailureReason | None, str]:
    """Return why `text` is not a complete answer, and a detail; (None, "") if it is complete."""
    if refusal:
        return FailureReason.REFUSED, refusal
    if finish_reason == "content_filter":
        return FailureReason.REFUSED, text or "stopped by the server's content filter"
    if finish_reason in ("length", "repetition"):  # the latter is vLLM's, if asked for
        return FailureReason.TRUNCATED, text
    if finish_reason in ("abort", "error"):  # vLLM's, with the text written until then
        return FailureReason.CALL_FAILED, f"the server gave up ({finish_reason}) after: {text}"
    if not text:
        return FailureReason.EMPTY, ""
    return None, ""
