"""Data-quality checks of the seeds of a domain."""

from __future__ import annotations

from collections.abc import Mapping

from rolesynth_assets.cads.seeds.read import SeedReason
from rolesynth_assets.check_outcome import CheckOutcome

_NO_FAULT = frozenset({SeedReason.WITHDRAWN, SeedReason.CONTAMINATED})
"""Rows that are refused for what they show, not because a file is broken."""


def seeds_found(seeds: int) -> CheckOutcome:
    """The domain has a seed.

    Args:
        seeds: accepted ones.
    """
    return CheckOutcome(
        passed=seeds >= 1,
        value=seeds,
        threshold=1,
        description=f"The domain has {seeds} seeds; at least 1 is needed.",
    )


def rejects_bounded(seeds: int, rejects: Mapping[str, int], *, max_share: float) -> CheckOutcome:
    """Few rows of the seed files are unusable; withdrawn and benchmark items are no fault of them.

    Args:
        seeds: accepted ones.
        rejects: rejected rows by reason.
        max_share: bound on the share of rejects among all rows, 0 to 1.
    """
    rejected = sum(count for reason, count in rejects.items() if reason not in _NO_FAULT)
    share = rejected / max(seeds + rejected, 1)
    return CheckOutcome(
        passed=share <= max_share,
        value=share,
        threshold=max_share,
        description=f"{rejected} of {seeds + rejected} rows are no usable seed.",
        metadata={"rejects_by_reason": dict(rejects)},
    )
