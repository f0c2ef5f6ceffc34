"""Telling a model that fails for everybody from one that fails for some requests."""

from dataclasses import dataclass

from rolesynth_assets.mllm.engine import ChatReply, FailureReason

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
