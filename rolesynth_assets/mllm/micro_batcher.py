"""Micro-batching of single requests for an engine.

A pipeline in which every step waits for its own answer calls `Asker.ask`. Requests made at the same
time go to the engine together, and requests made while the engine works are passed to it as soon as
it has room. So an engine that computes in batches gets batches, and an engine that keeps requests
in flight always has some.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace

from rolesynth_assets.mllm.engine import (
    ChatEngine,
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
)

IN_FLIGHT = 32
"""Default number of requests that the engine holds at once, as in `EngineSettings`."""
PASSES = 4
"""Concurrent iterations over the engine. A new one begins for requests that no running one has
taken, because an iteration that waits for its last, slow answer takes no new ones. More iterations
would only make batches smaller.
"""
NOT_SENT = "not sent: no caller wants the reply any more"
"""Detail of the reply to a request that was not wanted any more when its turn came."""


@dataclass(frozen=True)
class _Waiter:
    request: ChatRequest
    reply: asyncio.Future[ChatReply]


class Asker:
    """Sends requests to one engine, within one event loop; its owner closes the engine."""

    def __init__(self, engine: ChatEngine, in_flight: int = IN_FLIGHT) -> None:
        """Set up without requests.

        Args:
            engine: the engine.
            in_flight: bound on the requests that the engine holds at once.
        """
        if in_flight < 1:
            raise ValueError(f"in_flight is {in_flight}; at least one request must be in flight")
        self._engine = engine
        self._limit = in_flight
        self._waiting: deque[_Waiter] = deque()
        self._held = 0
        self._handed_out = 0
        self._passes: set[asyncio.Task[None]] = set()
        self._begins = False
        self._closed = False

    async def ask(self, request: ChatRequest) -> ChatReply:
        """Return the engine's reply, under the request's own key; keys may repeat.

        A request that is no longer wanted when its turn comes is rejected without the engine.

        Raises:
            EngineError: the engine can serve no request, left this one without a reply, or this
                asker is closed.
        """
        if self._closed:
            raise EngineError("This asker is closed; make a new one.")
        loop = asyncio.get_running_loop()
        waiter = _Waiter(request, loop.create_future())
        self._waiting.append(waiter)
        self._begin_soon()
        return await waiter.reply

    async def aclose(self) -> None:
        """Cancel all requests and their waiting callers; safe to call twice."""
        self._closed = True
        passes = list(self._passes)
        for running in passes:
            running.cancel()
        await asyncio.gather(*passes, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft().reply.cancel()

    def _begin_soon(self) -> None:
        """Begin a pass in the event loop's next turn, once for all requests made until then."""
        if not self._begins:
            self._begins = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Begin a pass if a request waits that no running pass has taken."""
        self._begins = False
        if self._closed or len(self._passes) >= PASSES or self._held >= self._limit:
            return
        while self._waiting and self._waiting[0].reply.done():  # its caller was cancelled
            self._waiting.popleft()
        if self._waiting:
            running = asyncio.get_running_loop().create_task(self._serve())
            self._passes.add(running)

    async def _serve(self) -> None:
        """Pass waiting requests to the engine, and its replies to the callers."""
        taken: dict[str, _Waiter] = {}
        failure: Exception | None = None
        try:
            if self._waiting:  # otherwise a running pass has taken them in the meantime
                await self._pass_on(taken)
        except Exception as error:
            failure = error
        finally:
            self._held -= len(taken)
            self._passes.discard(asyncio.current_task())  # pyright: ignore[reportArgumentType]
            for waiter in taken.values():
                self._give_up(waiter, failure)
        if isinstance(failure, EngineError):  # no request can be served
            while self._waiting:
                self._give_up(self._waiting.popleft(), failure)
        if self._waiting:
            self._begin_soon()

    async def _pass_on(self, taken: dict[str, _Waiter]) -> None:
        replies = self._engine.complete(_Feed(self, taken))
        try:
            async for reply in replies:
                waiter = taken.pop(reply.key, None)
                if waiter is None:
                    raise EngineError(
                        f"Engine {self._engine.identity.engine!r} replied to {reply.key!r}, which "
                        "was not asked for or was answered before."
                    )
                self._held -= 1
                if not waiter.reply.done():
                    waiter.reply.set_result(replace(reply, key=waiter.request.key))
                if self._waiting:
                    self._begin_soon()
        finally:
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()  # calls in flight end now, not when it is collected
        if taken:
            raise EngineError(
                f"Engine {self._engine.identity.engine!r} left {len(taken)} requests without a "
                f"reply, such as {next(iter(taken.values())).request.key!r}."
            )

    def _give_up(self, waiter: _Waiter, failure: Exception | None) -> None:
        if waiter.reply.done():
            return
        if failure is None:  # this asker is being closed
            waiter.reply.cancel()
        else:
            waiter.reply.set_exception(failure)

    def _take(self) -> tuple[str, _Waiter] | None:
        """Return the next request and the key under which it is sent, if there is room."""
        while self._waiting and self._held < self._limit:
            waiter = self._waiting.popleft()
            if waiter.reply.done():
                continue
            key = waiter.request.key
            if not waiter.request.wanted():
                waiter.reply.set_result(ChatReply(key, None, FailureReason.REJECTED, NOT_SENT))
                continue
            self._held += 1
            self._handed_out += 1
            return f"{self._handed_out}/{key}", waiter
        return None


class _Feed(Iterator[ChatRequest]):
    """The waiting requests; an engine that iterates again later gets those made since."""

    def __init__(self, asker: Asker, taken: dict[str, _Waiter]) -> None:
        self._asker = asker
        self._taken = taken

    def __next__(self) -> ChatRequest:
        next_one = self._asker._take()
        if next_one is None:
            raise StopIteration
        key, waiter = next_one
        self._taken[key] = waiter
        return replace(waiter.request, key=key)
