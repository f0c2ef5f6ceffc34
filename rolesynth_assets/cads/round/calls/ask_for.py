"""Requests for a structured reply of a member, with at most one repair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from rolesynth_assets.cads.prompts.replies import Reply, Unparsable, parse, repair_prompt
from rolesynth_assets.cads.round.calls.calls_about import CallsAbout
from rolesynth_assets.cads.values import StepReason
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason

R = TypeVar("R", bound=Reply)


@dataclass(frozen=True)
class Answered(Generic[R]):
    """A reply as a value, its raw text, and its cost."""

    value: R
    raw: str
    spent: Spent


@dataclass(frozen=True)
class Unanswered:
    """The reason why there is no value, a `FailureReason` or `StepReason`, with the raw text."""

    reason: str
    detail: str
    raw: str
    spent: Spent


_REPAIRED = {
    FailureReason.TRUNCATED: "it was cut off at the limit of its length; reply more briefly",
    FailureReason.EMPTY: "it was empty",
}
"""Failures that a repair may fix. An engine has already retried transport faults, and a model
refuses the same request again."""


async def ask_for(
    calls: CallsAbout, member: str, request: ChatRequest, kind: type[R]
) -> Answered[R] | Unanswered:
    """Ask a member for a reply of `kind`; an unusable one gets one repair.

    Raises:
        EngineError: the member's engine can serve no request.
    """
    first = _read(await calls.ask(member, request), kind)
    if isinstance(first, Answered) or not _can_mend(first):
        return first
    again = replace(
        request,
        key=f"{request.key}/repair",
        prompt=repair_prompt(request.prompt, first.raw, first.detail),
    )
    second = _read(await calls.ask(member, again), kind)
    return replace(second, spent=first.spent + second.spent)


def _can_mend(failed: Unanswered) -> bool:
    return failed.reason == StepReason.UNPARSABLE or failed.reason in _REPAIRED


def _read(reply: ChatReply, kind: type[R]) -> Answered[R] | Unanswered:
    spent = Spent(1, reply.prompt_tokens, reply.completion_tokens, latency_s=reply.latency_s)
    if reply.text is not None:
        value = parse(reply.text, kind)
        if isinstance(value, Unparsable):
            return Unanswered(StepReason.UNPARSABLE, value.detail, reply.text, spent)
        return Answered(value, reply.text, spent)
    assert reply.reason is not None  # a reply has a text or a reason
    if reply.reason in _REPAIRED:
        return Unanswered(reply.reason, _REPAIRED[reply.reason], reply.detail, spent)
    return Unanswered(reply.reason, reply.detail, "", spent)
