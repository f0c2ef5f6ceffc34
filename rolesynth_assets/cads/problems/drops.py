"""Reasons why an accepted candidate is not in the synthetic set."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DropReason(StrEnum):
    """Why a candidate is dropped; each dropped row of the table ``problems`` has one reason.

    The name of an extra check that found something (`extra_checks.findings.FINDINGS`) is a reason
    too.
    """

    WRITER_ALONE = "writer_alone"
    """Only its writer reached the answer (extra check e)."""
    COPIES_SEED = "copies_seed"
    """The question is the seed's own, so the triple is not synthetic."""
    NO_OPTION = "no_option"
    """The multiple-choice answer names no option of its question, or more than one."""
    UNIT_UNNAMED = "unit_unnamed"
    """The answer is a number with a unit that the question does not name."""
    UNGRADABLE_EASYR1 = "ungradable_easyr1"
    """EasyR1's checker, mathruler, does not grade the answer equal to itself."""
    UNGRADABLE_TRL = "ungradable_trl"
    """TRL's checker, math-verify, does not grade the answer equal to itself."""
    DUPLICATE = "duplicate"
    """Question, answer and picture are those of another kept problem."""
    NOT_DRAWN = "not_drawn"
    """It was left out to reduce the set to its target size."""


@dataclass(frozen=True)
class Dropped:
    """A reason, or the name of the extra check that found something, and its cause in words."""

    reason: str
    detail: str
