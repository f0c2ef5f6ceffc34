"""The value a data-quality check returns, free of any orchestrator."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CheckOutcome:
    """What one data-quality check measured and what it was held against.

    Attributes:
        passed: whether ``value`` is on the right side of ``threshold``.
        value: the measured number, shown beside the threshold.
        threshold: the configured bound, or None where the check has no bound.
        description: one sentence for a person: what was measured, on what, with which result.
        metadata: further JSON-like facts, such as examples of offending rows.
    """

    passed: bool
    value: float | int
    threshold: float | int | None
    description: str
    metadata: dict[str, object] = field(default_factory=dict)
