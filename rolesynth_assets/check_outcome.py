"""The result of a data-quality check, independent of any orchestrator."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckOutcome:
    """The measured value of one data-quality check, with its threshold.

    Attributes:
        passed: whether ``value`` is on the right side of ``threshold``.
        value: the measured number, shown beside the threshold.
        threshold: the configured bound; None if the check has no bound.
        description: one sentence for readers: the measurement, its object and its result.
        metadata: further JSON-like facts, such as examples of offending rows.
    """

    passed: bool
    value: float | int
    threshold: float | int | None
    description: str
    metadata: dict[str, object] = field(default_factory=dict)
