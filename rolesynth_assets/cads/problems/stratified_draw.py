"""Stratified draw of a smaller set with the proportions of a larger one (CADS, down-sampling)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rolesynth_assets.store.digests import digest


@dataclass(frozen=True)
class Candidacy:
    """The facts about a problem that a draw uses.

    Attributes:
        key: id of the problem.
        stratum: group whose share the draw keeps, such as (domain, strategy).
        hard: whether it is hard; hard ones are drawn before the others of their stratum.
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
        Rows to draw from each stratum. Their sum is `target`, or the number of all rows if that is
        less. No stratum gets more rows than it has; of equal remainders, the stratum that sorts
        first gets the row.
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

    The order among equals depends on seed and key alone, so an additional row displaces few others.

    Args:
        rows: the problems, each key once.
        target: number of keys to draw.
        seed: seed of the draw.

    Returns:
        The drawn keys: `target` of them, or all if there are not more.
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
