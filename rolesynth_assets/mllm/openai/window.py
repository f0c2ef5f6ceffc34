"""How many requests are sent to a server at once, by what the server bears.

The engines of a process that ask one model share what was found, so a partition does not begin
with more requests than the server bore in the one before.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

_log = logging.getLogger("rolesynth")


@dataclass
class Pace:
    """What a model at a server was found to bear, by all engines of this process that ask it.

    Attributes:
        most: highest bound of any engine.
        bound: requests that may be on their way at once.
        logged: the bound that the log named last.
        narrowed_at: when the bound was halved last, as `time.monotonic` counts.
        opens_at: before this time nothing is sent.
    """

    most: float = 0.0
    bound: float = 0.0
    logged: float = 0.0
    narrowed_at: float = float("-inf")
    opens_at: float = float("-inf")

    def allow(self, most: int) -> None:
        """Take in an engine with a highest bound; a bound that was found stays."""
        if most > self.most:
            if self.bound >= self.most:  # it was not narrowed
                self.bound = self.logged = float(most)
            self.most = float(most)


_paces: dict[tuple[str, str], Pace] = {}


def pace_of(server: str, model: str) -> Pace:
    """Return the pace of a model at a server, which the partitions of a run share."""
    return _paces.setdefault((server, model), Pace())


class Window:
    """Bounds the requests on their way: halves it when the server is busy, and grows it again.

    Additive increase, multiplicative decrease, as TCP does: the bound grows by one in the time in
    which as many requests as it has are answered. A burst of faults halves it once, because the
    requests of a burst were sent before the first fault was known.
    """

    def __init__(self, most: int, server: str, setting: str, pace: Pace | None = None) -> None:
        """Begin with the bound that was found, at first the highest one.

        Args:
            most: highest bound.
            server: address of the server, for the log.
            setting: name of the setting of `most`, for the log.
            pace: what other engines found; None shares nothing.
        """
        self._most, self._server, self._setting = most, server, setting
        self._pace = pace or Pace()
        self._pace.allow(most)
        self._in_flight = 0

    @property
    def bound(self) -> int:
        """Requests that may be on their way now."""
        return max(1, min(self._most, int(self._pace.bound)))

    @property
    def room(self) -> int:
        """Requests that may be sent now, beside those on their way."""
        return 0 if self.opens_at > time.monotonic() else max(0, self.bound - self._in_flight)

    @property
    def opens_at(self) -> float:
        """Before this time nothing is sent, as `time.monotonic` counts."""
        return self._pace.opens_at

    def enter(self) -> None:
        """Send a request, for which there was room."""
        self._in_flight += 1

    def leave(self) -> None:
        """Note that a request is no longer on its way."""
        self._in_flight -= 1

    def grow(self) -> None:
        """Note an answer."""
        pace = self._pace
        if pace.bound >= pace.most:
            return
        pace.bound = min(pace.most, pace.bound + 1 / pace.bound)
        if pace.bound >= pace.most or pace.bound >= 2 * pace.logged:
            pace.logged = pace.bound
            _log.info("%s answers again: %d requests at once", self._server, self.bound)

    def narrow(self, sent_at: float, why: str, pause_s: float = 0.0) -> None:
        """Note that the server is busy.

        Args:
            sent_at: time at which the failed request was sent, as `time.monotonic` counts.
            why: the fault.
            pause_s: seconds for which the server asks to send nothing.
        """
        pace, now = self._pace, time.monotonic()
        if pause_s and now + pause_s > pace.opens_at:
            pace.opens_at = now + pause_s
            if pause_s >= 5:
                _log.warning("%s asks to wait %.0f s (%s)", self._server, pause_s, why)
        if sent_at < pace.narrowed_at:
            return
        pace.narrowed_at = now
        before = self.bound
        pace.bound = pace.logged = max(1.0, min(pace.bound, self._most) / 2)
        if self.bound < before:
            _log.warning(
                "%s is busy (%s): %d requests at once instead of %d; %s is the most",
                self._server,
                why,
                self.bound,
                before,
                self._setting,
            )
