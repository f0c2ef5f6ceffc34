"""How many requests are sent to a server at once, by what the server bears."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_log = logging.getLogger("rolesynth")


class Window:
    """Bounds the requests on their way: halves it when the server is busy, and grows it again.

    Additive increase, multiplicative decrease, as TCP does: the bound grows by one in the time in
    which as many requests as it has are answered. A burst of faults halves it once, because the
    requests of a burst were sent before the first fault was known.
    """

    def __init__(self, most: int, server: str, setting: str) -> None:
        """Begin with the highest bound.

        Args:
            most: highest bound.
            server: address of the server, for the log.
            setting: name of the setting of `most`, for the log.
        """
        self._most, self._server, self._setting = most, server, setting
        self._bound = self._logged = float(most)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._narrowed_at = self._opens_at = float("-inf")

    @property
    def bound(self) -> int:
        """Requests that may be on their way now."""
        return max(1, int(self._bound))

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[float]:
        """Wait for a place among the requests on their way; yield the time at which it began."""
        await self._wait_for_a_place()
        self._in_flight += 1
        try:
            yield time.monotonic()
        finally:
            self._in_flight -= 1
            self._wake()

    def grow(self) -> None:
        """Note an answer."""
        if self._bound >= self._most:
            return
        self._bound = min(float(self._most), self._bound + 1 / self._bound)
        self._wake()
        if self._bound >= self._most or self._bound >= 2 * self._logged:
            self._logged = self._bound
            _log.info("%s answers again: %d requests at once", self._server, self.bound)

    def narrow(self, sent_at: float, why: str, pause_s: float = 0.0) -> None:
        """Note that the server is busy.

        Args:
            sent_at: time at which the failed request was sent, as `slot` yielded it.
            why: the fault.
            pause_s: seconds for which the server asks to send nothing.
        """
        now = time.monotonic()
        if pause_s and now + pause_s > self._opens_at:
            self._opens_at = now + pause_s
            if pause_s >= 5:
                _log.warning("%s asks to wait %.0f s (%s)", self._server, pause_s, why)
        if sent_at < self._narrowed_at:
            return
        self._narrowed_at = now
        before = self.bound
        self._bound = self._logged = max(1.0, self._bound / 2)
        if self.bound < before:
            _log.warning(
                "%s is busy (%s): %d requests at once instead of %d; %s is the most",
                self._server,
                why,
                self.bound,
                before,
                self._setting,
            )

    async def _wait_for_a_place(self) -> None:
        while True:
            if (pause := self._opens_at - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            if self._in_flight < self.bound:
                return
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._wake()  # another one takes the place
                raise

    def _wake(self) -> None:
        free = self.bound - self._in_flight
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
