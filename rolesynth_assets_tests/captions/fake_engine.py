"""A chat engine for tests: deterministic text, counted calls, failures on demand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from itertools import islice
from pathlib import Path

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, ModelIdentity
from rolesynth_assets.store.digests import digest

WORDS = (
    "red green small large round apple wooden table bright window cat street lamp blue car "
    "near behind quiet garden stone wall yellow kite tall tree open field white boat"
).split()

Fail = Callable[[ChatRequest], FailureReason | None]
Write = Callable[[ChatRequest], str]


def write_words(request: ChatRequest) -> str:
    """Thirteen words for a long caption and seven for a short one, drawn from (key, seed)."""
    count = 13 if request.sampling.max_tokens >= 100 else 7
    source = bytes.fromhex(digest("words", request.key, request.seed))
    return " ".join(WORDS[byte % len(WORDS)] for byte in source[:count])


class FakeEngine:
    """Answers every request after `delay_s` seconds; replies of one look-ahead come in reverse.

    Attributes:
        requests: every request answered or refused so far, in the order taken.
    """

    def __init__(
        self,
        *,
        model: str = "fake-captioner",
        revision: str = "1",
        write: Write = write_words,
        fail: Fail | None = None,
        delay_s: float = 0.0,
        look_ahead: int = 4,
        log: Path | None = None,
    ) -> None:
        self.identity = ModelIdentity("fake", model, revision, stand_in=True)
        self.write = write
        self.fail = fail
        self.delay_s = delay_s
        self.look_ahead = look_ahead
        self.log = log
        self.requests: list[ChatRequest] = []
        self.closed = False

    @property
    def calls(self) -> int:
        return len(self.requests)

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        source = iter(requests)
        while chunk := list(islice(source, self.look_ahead)):
            for request in chunk:
                self._count(request)
            for request in reversed(chunk):
                await asyncio.sleep(self.delay_s)
                yield self._reply(request)

    async def aclose(self) -> None:
        self.closed = True

    def _count(self, request: ChatRequest) -> None:
        self.requests.append(request)
        if self.log is not None:
            with self.log.open("a") as file:  # closed at once: a kill loses no line
                file.write(f"{request.key}\n")

    def _reply(self, request: ChatRequest) -> ChatReply:
        reason = self.fail(request) if self.fail else None
        if reason is not None:
            return ChatReply(request.key, None, reason, detail=f"injected {reason}", latency_s=0.5)
        text = self.write(request)
        return ChatReply(
            request.key,
            text,
            None,
            finish_reason="stop",
            prompt_tokens=len(request.prompt.split()),
            completion_tokens=len(text.split()),
            latency_s=0.25,
        )
