"""A count of what a model was asked, which is there even if the work that asked it failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, ModelIdentity


@dataclass
class Meter:
    """Calls, tokens and cost so far, by the prices of one model."""

    prices: Prices = field(default_factory=Prices)
    spent: Spent = field(default_factory=Spent)

    def count(self, reply: ChatReply) -> None:
        """Count one reply."""
        tokens = reply.prompt_tokens, reply.completion_tokens
        self.spent += Spent(1, *tokens, self.prices.cost(1, *tokens))


class MeteredEngine:
    """An engine whose replies are counted as they arrive; otherwise it is the engine itself."""

    def __init__(self, engine: ChatEngine, meter: Meter) -> None:
        """Count the replies of `engine` in `meter`."""
        self._engine, self._meter = engine, meter

    def __getattr__(self, name: str) -> Any:
        """Return what only some engines have, such as what a server's engine learned."""
        return getattr(self._engine, name)

    @property
    def identity(self) -> ModelIdentity:
        """The engine's own identity."""
        return self._engine.identity

    def complete(self, requests: Iterable[ChatRequest]) -> AsyncGenerator[ChatReply, None]:
        """Yield the engine's replies.

        Raises:
            EngineError: no request can succeed.
        """
        return self._counted(self._engine.complete(requests))

    def through_batches(self, work: Any) -> AsyncGenerator[ChatReply, None]:
        """Yield the replies of an engine that takes batches (`rows.batch_work.BatchEngine`)."""
        through_batches = self.__getattr__("through_batches")
        return self._counted(through_batches(work))

    async def _counted(self, replies: AsyncIterator[ChatReply]) -> AsyncGenerator[ChatReply, None]:
        try:
            async for reply in replies:
                self._meter.count(reply)
                yield reply
        finally:
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()  # calls in flight end now, not when it is collected

    async def aclose(self) -> None:
        """Close the engine."""
        await self._engine.aclose()
