"""The servers that answer for one model: each gets requests when it has room for them.

The requests of an image meet the server that has got the first of them, because it has the image
in its caches, as long as it is healthy. A new image goes to the server with most room, so a fast
one takes more than a slow one. What a server could not answer, because it died, others get.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from rolesynth_assets.mllm.openai.fleet.endpoint import Endpoint
from rolesynth_assets.mllm.openai.transport.connection import Connection

REMEMBERED_IMAGES = 4096
"""Images whose server is remembered; their requests come one after the other."""
LOG_EVERY_S = 60.0
LOG_AT_AN_END_S = 10.0
"""Seconds between two lines of the log at the end of some work; a round has much small work."""
_LOOK_EVERY_S = 0.25

Look = Callable[[Endpoint], Awaitable[str]]
"""Asks a server that is out; returns why it stays out, or nothing if it may come back."""

_log = logging.getLogger("rolesynth")


@dataclass(eq=False)
class _Waiting:
    image: int | None
    place: asyncio.Future[Endpoint]


class Fleet:
    """Deals requests out to servers, of which at least one is never taken out.

    Attributes:
        endpoints: all of them.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        """Begin with servers that count as healthy."""
        self.endpoints = tuple(endpoints)
        self._owners: OrderedDict[int, Endpoint] = OrderedDict()
        self._waiting: deque[_Waiting] = deque()
        self._opening: asyncio.TimerHandle | None = None
        self._logged = time.monotonic()

    @property
    def healthy(self) -> list[Endpoint]:
        """The servers that get requests."""
        return [endpoint for endpoint in self.endpoints if endpoint.outage is None]

    @property
    def several(self) -> bool:
        """Whether there is more than one server."""
        return len(self.endpoints) > 1

    @asynccontextmanager
    async def slot(self, images: tuple[bytes, ...]) -> AsyncIterator[tuple[Endpoint, float]]:
        """Wait until a server has room for a request; yield it and the time.

        Args:
            images: the images of the request.
        """
        endpoint = await self._place(hash(images) if images and self.several else None)
        try:
            yield endpoint, time.monotonic()
        finally:
            endpoint.window.leave()
            self.deal()

    def take_out(self, endpoint: Endpoint, why: str) -> bool:
        """Take a server out; return False if it is the last one, which stays."""
        if endpoint.outage is None and len(self.healthy) == 1:
            return False
        if endpoint.outage is None:
            endpoint.take_out(why)
            self.deal()
        return True

    def deal(self) -> None:
        """Give waiting requests to the servers that have room."""
        if not self._waiting:
            return
        room = {endpoint: endpoint.window.room for endpoint in self.healthy}
        kept: deque[_Waiting] = deque()
        while self._waiting and any(room.values()):
            waiting = self._waiting.popleft()
            if waiting.place.done():
                continue
            endpoint = self._server_for(waiting.image, room)
            if endpoint is None:
                kept.append(waiting)
                continue
            room[endpoint] -= 1
            endpoint.window.enter()
            waiting.place.set_result(endpoint)
        kept.extend(self._waiting)
        self._waiting = kept
        if kept:
            self._deal_when_a_pause_ends()

    @asynccontextmanager
    async def connected(
        self, timeout_s: float, max_bytes: int, look: Look
    ) -> AsyncIterator[dict[Endpoint, Connection]]:
        """Connect to all servers, and look at those that are out in the meantime.

        Args:
            timeout_s: seconds that an answer may take.
            max_bytes: most bytes of an answer.
            look: asks a server that is out.
        """
        async with AsyncExitStack() as stack:
            connections = {
                endpoint: await stack.enter_async_context(endpoint.connect(timeout_s, max_bytes))
                for endpoint in self.endpoints
            }
            watch = asyncio.create_task(self._watch(look)) if self.several else None
            try:
                yield connections
            finally:
                if watch is not None:
                    watch.cancel()
                    with suppress(asyncio.CancelledError):
                        await watch
                    self._log_now_and_then(LOG_AT_AN_END_S)

    def said(self) -> str:
        """Return rate and concurrency of each server, for the log."""
        return "; ".join(endpoint.said() for endpoint in self.endpoints)

    async def _place(self, image: int | None) -> Endpoint:
        waiting = _Waiting(image, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self.deal()
        try:
            return await waiting.place
        except asyncio.CancelledError:
            if waiting.place.done() and not waiting.place.cancelled():
                waiting.place.result().window.leave()
                self.deal()  # another one takes the place
            raise

    def _server_for(self, image: int | None, room: dict[Endpoint, int]) -> Endpoint | None:
        owner = self._owners.get(image) if image is not None else None
        if owner in room:
            return owner if room[owner] else None
        # the one with the largest part of its places free
        endpoint = max(room, key=lambda each: room[each] / each.window.bound)
        if image is not None:
            self._owners[image] = endpoint
            if len(self._owners) > REMEMBERED_IMAGES:
                self._owners.popitem(last=False)
        return endpoint

    def _deal_when_a_pause_ends(self) -> None:
        """Deal again when the first server that asked to wait may be asked."""
        now = time.monotonic()
        pauses = [endpoint.window.opens_at - now for endpoint in self.healthy]
        ahead = [pause for pause in pauses if pause > 0]
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if ahead:
            self._opening = asyncio.get_running_loop().call_later(min(ahead), self.deal)

    async def _watch(self, look: Look) -> None:
        while True:
            now = time.monotonic()
            due = [e for e in self.endpoints if e.outage and e.outage.next_look <= now]
            await asyncio.gather(*(self._look_at(endpoint, look) for endpoint in due))
            self._log_now_and_then(LOG_EVERY_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    def _log_now_and_then(self, least_s: float) -> None:
        if (now := time.monotonic()) - self._logged >= least_s:
            self._logged = now
            _log.info("%s", self.said())

    async def _look_at(self, endpoint: Endpoint, look: Look) -> None:
        if endpoint.looking:
            return  # another iteration of the engine does
        endpoint.looking = True
        try:
            why = await look(endpoint)
        finally:
            endpoint.looking = False
        if why:
            endpoint.take_out(why)
        else:
            endpoint.bring_back()
            self.deal()
