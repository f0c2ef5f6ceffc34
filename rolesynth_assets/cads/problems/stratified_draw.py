"""Drawing a smaller set that keeps the proportions of a larger one (CADS, down-sampling)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class Candidacy:
    """What a draw knows of a problem.

    Attributes:
        key: its id.
        stratum: what the draw keeps the proportions of, such as (domain, strategy).
        hard: hard ones are drawn before the others of their stratum.
    """

    key: str
    stratum: tuple[str, ...]
    hard: bool


def shares(sizes: dict[tuple[str, ...], int], target: int) -> dict[tuple[str, ...], int]:
    """Divide `target` among strata in proportion to their sizes, by largest remainders.

    Args:
        sizes: rows in each stratum, at least one.
        target: rows to draw; not negative.

    Returns:
        Rows to draw from each stratum: their sum is `target`, or all there are if that is less.
        None is more than the stratum holds; equal remainders go to the stratum that sorts first.
    """
    total = sum(sizes.values())
    if target >= total:
        return dict(sizes)
    quota = {stratum: size * target // total for stratum, size in sizes.items()}
    left = target - sum(quota.values())
    by_remainder = sorted(sizes, key=lambda stratum: (-(sizes[stratum] * target % total), stratum))
    return quota | {stratum: quota[stratum] + 1 for stratum in by_remainder[:left]}


def draw(rows: Sequence[Candidacy], target: int, seed: int) -> set[str]:
    """Draw `target` keys, stratified, hard ones first, at random among equals.

    Who comes first depends on seed and key alone, so a further row displaces few others.

    Args:
        rows: each key once.
        target: keys to draw.
        seed: of the draw.

    Returns:
        The keys drawn: `target` of them, or all if there are no more.
    """
    strata: defaultdict[tuple[str, ...], list[Candidacy]] = defaultdict(list)
    for row in rows:
        strata[row.stratum].append(row)
    quota = shares({stratum: len(of) for stratum, of in strata.items()}, target)
    return {
        row.key
        for stratum, of in strata.items()
        for row in sorted(of, key=lambda r: (not r.hard, digest("draw", seed, r.key)))[
            : quota[stratum]
        ]
    }
