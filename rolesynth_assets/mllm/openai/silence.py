"""Detection of a server that hangs, as opposed to a single request that is too hard for it."""

import time

from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault, UnansweredFault


class Silence:
    """Measures how long a server has answered no request at all.

    Each request that times out is retried, which takes a quarter of an hour; a server that answers
    none of them in the meantime hangs. A single request may be too hard for the server: the first
    request without an answer, after others had one, is given up, and the next one decides.
    """

    def __init__(self, limit_s: float, faults: FaultReader) -> None:
        """Start the measurement; after `limit_s` seconds without an answer the server hangs."""
        self._limit_s, self._faults = limit_s, faults
        self._heard_at = time.monotonic()
        self._may_give_up = False

    def heard(self) -> None:
        """Note that the server has answered a request."""
        self._heard_at = time.monotonic()
        self._may_give_up = True

    def check(self, fault: RetryableFault, since: float) -> None:
        """Decide whether a failed attempt means that the server hangs.

        Args:
            fault: fault of the attempt.
            since: time at which its request was first sent, in seconds of `time.monotonic`; before
                it, the server may have had nothing to answer.

        Raises:
            UnansweredFault: the request is given up.
            EngineError: the server hangs.
        """
        if fault.answered:
            self.heard()
            return
        silence = time.monotonic() - max(self._heard_at, since)
        if silence < self._limit_s:
            return
        if self._may_give_up:
            self._may_give_up = False
            raise UnansweredFault(f"no answer for {silence:.0f} s: {fault.detail}")
        raise self._faults.silent(silence, fault.detail)
