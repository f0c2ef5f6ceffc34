"""Detection of a model that fails for all requests, not only for some of them."""

from dataclasses import dataclass

from rolesynth_assets.mllm.engine import ChatReply, FailureReason

_LEAST_FAILURES_TO_STOP = 16
"""A model counts as failing after so many failures in a row, or twice the concurrency if more."""


@dataclass
class Health:
    """Counts an engine's failures since its last answer."""

    limit: int
    proven: bool = False
    """The model has answered a chat request."""
    failures_in_a_row: int = 0
    last_failure: str = ""

    @classmethod
    def of(cls, concurrency: int) -> "Health":
        """Return the health of an engine that keeps `concurrency` requests in flight."""
        return cls(limit=max(_LEAST_FAILURES_TO_STOP, 2 * concurrency))

    def note(self, reply: ChatReply) -> bool:
        """Count one reply; return False if it must be held back until the model is proven."""
        if reply.latency_s == 0.0:
            return True  # never sent: its image cannot be decoded
        rejected = reply.reason in (FailureReason.REJECTED, FailureReason.OVERSIZED)
        if rejected and self.proven:
            return True  # some requests are too large or violate a content policy
        if rejected or (reply.reason is not None and reply.reason.transient):
            self.failures_in_a_row += 1
            self.last_failure = f"{reply.reason}, {reply.detail}"
            return not rejected
        self.proven = True
        self.failures_in_a_row = 0
        return True

    @property
    def failing(self) -> bool:
        """Whether so many requests failed in a row that the next ones are expected to fail."""
        return self.failures_in_a_row >= self.limit
