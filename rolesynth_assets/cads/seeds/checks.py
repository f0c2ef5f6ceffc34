"""Data-quality checks of the seeds of a domain."""

from __future__ import annotations

from collections.abc import Mapping

from rolesynth_assets.cads.seeds.read import SeedReason
from rolesynth_assets.check_outcome import CheckOutcome

_NO_FAULT = frozenset({SeedReason.WITHDRAWN, SeedReason.CONTAMINATED})
"""Reasons that refuse a row for its content, not because a file is broken."""


def seeds_found(seeds: int) -> CheckOutcome:
    """Pass when the domain has a seed.

    Args:
        seeds: number of accepted seeds.
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
        seeds: number of accepted seeds.
        rejects: number of rejected rows by reason.
        max_share: bound on the share of rejects among all rows, 0 to 1.
    """
    rejected = sum(count for reason, count in rejects.items() if reason not in _NO_FAULT)
    share = rejected / max(seeds + rejected, 1)
    return CheckOutcome(
        passed=share <= max_share,
        value=share,
        threshold=max_share,
        description=f"{rejected} of {seeds + rejected} rows are not usable as seeds.",
        metadata={"rejects_by_reason": dict(rejects)},
    )
