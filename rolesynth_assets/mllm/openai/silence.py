"""Detection of a server that hangs, as opposed to a single request that is too hard for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault, UnansweredFault


class Silence:
    """Measures how long a server has answered no request at all.

    Only time counts in which a request waits for an answer, whichever request it is: a server that
    answers none of several requests, one after another, hangs. A single request may be too hard for
    the server. If it waits alone, and others had an answer, it is given up after half the limit,
    and the next one decides in the other half.
    """

    def __init__(
        self, limit_s: float, faults: FaultReader, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start the measurement; after `limit_s` seconds without an answer the server hangs."""
        self._limit_s, self._faults, self._clock = limit_s, faults, clock
        self._waiting = 0
        self._counted_s = 0.0
        self._since = clock()
        self._may_give_up = False

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the context, in which a request waits for its answer."""
        if not self._waiting:
            self._since = self._clock()
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._counted_s += self._clock() - self._since

    @property
    def silence_s(self) -> float:
        """Seconds in which requests waited and none was answered."""
        now = self._clock() - self._since if self._waiting else 0.0
        return self._counted_s + now

    def heard(self) -> None:
        """Note that the server has answered a request."""
        self._counted_s, self._since = 0.0, self._clock()
        self._may_give_up = True

    def check(self, fault: RetryableFault) -> None:
        """Decide whether a failed attempt means that the server hangs.

        Args:
            fault: fault of the attempt.

        Raises:
            UnansweredFault: the request is given up.
            EngineError: the server hangs.
        """
        if fault.answered:
            self.heard()
            return
        silence = self.silence_s
        if self._may_give_up and self._waiting <= 1 and silence >= self._limit_s / 2:
            self._may_give_up = False
            raise UnansweredFault(f"no answer for {silence:.0f} s: {fault.detail}")
        if silence >= self._limit_s:
            raise self._faults.silent(silence, fault.detail)
