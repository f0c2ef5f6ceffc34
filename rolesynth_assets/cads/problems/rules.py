"""Selection rules that a user can set for the synthetic set, and the selection (MMSynthetic)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.cads.extra_checks.findings import FINDINGS
from rolesynth_assets.cads.problems.drops import DropReason
from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl

REFUSABLE = frozenset({*FINDINGS, DropReason.WRITER_ALONE.value})
"""All findings of extra checks that can drop a problem; duplicates are dropped in any case."""


@dataclass(frozen=True)
class SelectionRules:
    """The rules that a user can set for the selection.

    Attributes:
        target: largest number of problems in the set; None takes all.
        draw_seed: seed of the draw if there are more problems than `target`.
        refused: members of `REFUSABLE` that drop a problem, as set by the project. A check that was
            switched off in a round finds nothing.
    """

    target: int | None = None
    draw_seed: int = 0
    refused: frozenset[str] = frozenset()

    @property
    def digest(self) -> str:
        """64 hex characters that change when other problems may be chosen."""
        return digest(
            "selection rules", str(self.target), str(self.draw_seed), *sorted(self.refused)
        )

    def __post_init__(self) -> None:
        """Refuse a target below 1, and reasons that are not a finding of an extra check."""
        if self.target is not None and self.target < 1:
            raise ValueError(f"target is {self.target}: it is at least 1, or None for all problems")
        other = self.refused - REFUSABLE
        if other:
            raise ValueError(
                f"refused: {', '.join(sorted(other))} cannot be chosen; the findings of extra "
                f"checks are {', '.join(sorted(REFUSABLE))}"
            )


@dataclass(frozen=True)
class Selection:
    """The synthetic set without its images.

    Attributes:
        rows: all columns of the table ``problems`` but ``image``, by problem id: every accepted
            candidate, kept or dropped with its reason.
        rules: the rules of the selection, including the draw seed.
        not_accepted: number of candidates without a row, by decision.
        kept_unrefused: problems that the set would have if no finding were refused.
    """

    rows: pl.DataFrame
    rules: SelectionRules
    not_accepted: Mapping[str, int]
    kept_unrefused: int

    @property
    def kept(self) -> int:
        """Number of problems in the set."""
        return int(self.rows["kept"].sum())

    @property
    def dropped(self) -> dict[str, int]:
        """Accepted candidates that are not in the set, by reason."""
        return dict(sorted(Counter(self.rows["reason"].drop_nulls().to_list()).items()))
