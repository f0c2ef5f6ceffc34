"""One of the servers that answer for a model, and what is known of its health."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault
from rolesynth_assets.mllm.openai.silence import Silence
from rolesynth_assets.mllm.openai.transport.connection import Connection
from rolesynth_assets.mllm.openai.window import Window, pace_of
from rolesynth_assets.mllm.settings import EngineSettings

FAILURES_IN_A_ROW = 3
"""Failed attempts without an answer between them after which another server is asked instead."""
BUSY_IN_A_ROW = 64
"""The same for answers that the server is busy: fewer requests at once are tried first."""
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 120.0

_log = logging.getLogger("rolesynth")


@dataclass
class Outage:
    """A time in which an endpoint gets no requests.

    Attributes:
        why: the last error.
        pause_s: seconds between two looks at it.
        next_look: when it is looked at again, as `time.monotonic` counts.
    """

    why: str
    pause_s: float
    next_look: float


class Endpoint:
    """One server.

    Attributes:
        url: its address.
        faults: reads its errors.
        window: how many requests it gets at once.
        silence: measures how long it has answered nothing.
        reached: whether it has ever answered anything, even an error.
        outage: why and until when it gets no requests; None if it gets some.
        answered: requests that it has answered.
        looking: whether somebody looks at it now.
    """

    def __init__(self, settings: EngineSettings, url: str, model: str, secret: str | None) -> None:
        """Know nothing of the server yet."""
        self.url = url
        self.faults = FaultReader(url, model, secret, settings.names)
        self.window = Window(
            settings.concurrency, url, settings.names.concurrency, pace_of(url, model)
        )
        self.silence = Silence(settings.max_silence_s, self.faults)
        self.reached = False
        self.outage: Outage | None = None
        self.answered = 0
        self.looking = False
        self._failed = self._busy = 0
        self._began = time.monotonic()

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"

    def connect(self, timeout_s: float, max_bytes: int) -> Connection:
        """Return connections for one event loop; they cannot move to another one."""
        return Connection(self.url, self.faults.secret, timeout_s, max_bytes)

    def heard(self) -> None:
        """Note an answer."""
        self.answered += 1
        self._failed = self._busy = 0

    def fails(self, fault: RetryableFault) -> bool:
        """Note a failed attempt; return whether other servers shall be asked instead."""
        if fault.unreachable:
            return True
        if fault.busy and fault.reason is not FailureReason.TIMEOUT:
            self._busy += 1
        else:
            self._failed += 1
        return self._failed >= FAILURES_IN_A_ROW or self._busy >= BUSY_IN_A_ROW

    def take_out(self, why: str) -> None:
        """Give it no more requests until it was looked at; each pause is twice as long."""
        before = self.outage.pause_s if self.outage else FIRST_PAUSE_S / 2
        pause = min(2 * before, LONGEST_PAUSE_S)
        first = self.outage is None
        self.outage = Outage(why, pause, time.monotonic() + pause)
        level = logging.WARNING if first else logging.INFO
        _log.log(level, "%s gets no requests for %.0f s: %s", self.url, pause, why)

    def bring_back(self) -> None:
        """Give it requests again."""
        if self.outage is not None:
            self.outage = None
            self._failed = self._busy = 0
            self.silence.heard()
            _log.warning("%s answers again and gets requests", self.url)

    def said(self) -> str:
        """Return its rate and concurrency, or why it is out, for the log."""
        if self.outage:
            return f"{self.url} is out ({self.outage.why})"
        rate = self.answered / max(time.monotonic() - self._began, 1e-3)
        return f"{self.url} {rate:.1f}/s, {self.window.bound} at once"
