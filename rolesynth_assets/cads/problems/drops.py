"""Why an accepted candidate is no problem of the synthetic set."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DropReason(StrEnum):
    """Each dropped row of the table ``problems`` has one."""

    TEXT_ONLY_LEAK = "text_only_leak"
    """A judge solved it without the image (extra check a)."""
    SUSPECT_LABEL = "suspect_label"
    """A majority of judges agrees on another answer (extra check b)."""
    COPIED_NUMBERS = "copied_numbers"
    """Its numbers are the seed's (extra check c)."""
    WRITER_ALONE = "writer_alone"
    """Nobody but its writer reached the answer (extra check e)."""
    COPIES_SEED = "copies_seed"
    """The question is the seed's own, so the triple is not synthetic."""
    NO_OPTION = "no_option"
    """A multiple-choice answer that names no option of its question, or two at once."""
    UNIT_UNNAMED = "unit_unnamed"
    """A number with a unit that the question does not ask for."""
    UNGRADABLE_EASYR1 = "ungradable_easyr1"
    """EasyR1's checker, mathruler, does not grade the answer equal to itself."""
    UNGRADABLE_TRL = "ungradable_trl"
    """TRL's checker, math-verify, does not grade the answer equal to itself."""
    DUPLICATE = "duplicate"
    """Question, answer and picture are those of another kept problem."""
    NOT_DRAWN = "not_drawn"
    """Left out to bring the set down to its target size."""


@dataclass(frozen=True)
class Dropped:
    """A reason and what gave cause to it, in words."""

    reason: DropReason
    detail: str
