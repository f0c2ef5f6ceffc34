"""Telling a model that fails for everybody from one that fails for some requests."""

import time
from dataclasses import dataclass

from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault, UnansweredFault

_LEAST_FAILURES_TO_STOP = 16
"""So many failures in a row, or two rounds of all slots, and the model fails for everybody."""


@dataclass
class Health:
    """Counts the failures since the last answer; lives as long as its engine."""

    limit: int
    proven: bool = False
    """The model has answered a chat request."""
    failures_in_a_row: int = 0
    last_failure: str = ""

    @classmethod
    def of(cls, concurrency: int) -> "Health":
        """Return the health of an engine that keeps so many requests in flight."""
        return cls(limit=max(_LEAST_FAILURES_TO_STOP, 2 * concurrency))

    def note(self, reply: ChatReply) -> bool:
        """Count one reply; False when it must wait until the model has proven itself."""
        if reply.latency_s == 0.0:
            return True  # never sent: its image cannot be decoded
        rejected = reply.reason in (FailureReason.REJECTED, FailureReason.OVERSIZED)
        if rejected and self.proven:
            return True  # some requests are too large or against a policy
        if rejected or (reply.reason is not None and reply.reason.transient):
            self.failures_in_a_row += 1
            self.last_failure = f"{reply.reason}, {reply.detail}"
            return not rejected
        self.proven = True
        self.failures_in_a_row = 0
        return True

    @property
    def failing(self) -> bool:
        """Whether so many failed in a row that the next ones would fail too."""
        return self.failures_in_a_row >= self.limit


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
