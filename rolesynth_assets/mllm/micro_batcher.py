"""One question at a time for the caller, micro-batches for the engine.

A pipeline in which every step waits for its own answer asks `Asker.ask`; what is asked at the same
time goes to the engine together, and what is asked while the engine works is handed to it as soon
as it has room. So an engine that computes in batches gets batches, and one that keeps requests in
flight keeps them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace

from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, EngineError

IN_FLIGHT = 32
"""Requests that the engine holds at once unless told otherwise, as in `EngineSettings`."""
PASSES = 4
"""Iterations over the engine at once. A new one begins for what no running one has taken: one that
waits for its last, slow answer takes nothing new, and more of them would only make batches small.
"""


@dataclass(frozen=True)
class _Waiter:
    request: ChatRequest
    reply: asyncio.Future[ChatReply]


class Asker:
    """Asks one engine; belongs to one event loop. The engine stays its maker's to close."""

    def __init__(self, engine: ChatEngine, in_flight: int = IN_FLIGHT) -> None:
        """Nothing is asked yet; `in_flight` bounds the requests that the engine holds at once."""
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

        Raises:
            EngineError: the engine can serve nobody, left this request without a reply, or this
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
        """Cancel what is asked and everyone who waits for it; safe to call twice."""
        self._closed = True
        passes = list(self._passes)
        for running in passes:
            running.cancel()
        await asyncio.gather(*passes, return_exceptions=True)
        while self._waiting:
            self._waiting.popleft().reply.cancel()

    def _begin_soon(self) -> None:
        """Begin when all who are about to ask have done so: once for all of them."""
        if not self._begins:
            self._begins = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """Begin a pass when somebody waits whom no running one has taken."""
        self._begins = False
        if self._closed or len(self._passes) >= PASSES or self._held >= self._limit:
            return
        while self._waiting and self._waiting[0].reply.done():  # gave up waiting
            self._waiting.popleft()
        if self._waiting:
            running = asyncio.get_running_loop().create_task(self._serve())
            self._passes.add(running)

    async def _serve(self) -> None:
        """Hand waiting requests to the engine and its replies to who asked."""
        taken: dict[str, _Waiter] = {}
        failure: Exception | None = None
        try:
            if self._waiting:  # else a running pass has taken them in the meantime
                await self._pass_on(taken)
        except Exception as error:
            failure = error
        finally:
            self._held -= len(taken)
            self._passes.discard(asyncio.current_task())  # pyright: ignore[reportArgumentType]
            for waiter in taken.values():
                self._give_up(waiter, failure)
        if isinstance(failure, EngineError):  # nobody can be served
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
        """Return the next request to ask and the key it is asked under, if there is room."""
        while self._waiting and self._held < self._limit:
            waiter = self._waiting.popleft()
            if not waiter.reply.done():
                self._held += 1
                self._handed_out += 1
                return f"{self._handed_out}/{waiter.request.key}", waiter
        return None


class _Feed(Iterator[ChatRequest]):
    """What waits now; an engine that comes back later finds what has been asked since."""

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
