"""Telling a server that hangs from a request that is too much for it."""

import time

from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault, UnansweredFault


class Silence:
    """How long a server has left every request without an answer.

    Requests that time out are tried again one by one, which takes a quarter of an hour; a server
    that answers none of them in the meantime hangs. One request alone may be too much for it: the
    first that gets no answer, after others did, is given up, and the next one tells.
    """

    def __init__(self, limit_s: float, faults: FaultReader) -> None:
        """Nothing is answered yet; `limit_s` seconds without an answer are too many."""
        self._limit_s, self._faults = limit_s, faults
        self._heard_at = time.monotonic()
        self._may_give_up = False

    def heard(self) -> None:
        """Note that the server has answered a request."""
        self._heard_at = time.monotonic()
        self._may_give_up = True

    def check(self, fault: RetryableFault, since: float) -> None:
        """Judge a failed attempt.

        Args:
            fault: what was read of it.
            since: when its request was first sent, in seconds of `time.monotonic`. Before it, the
                server may have had nothing to answer.

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
