"""How a problem is answered: one of four options, or in free form."""

from enum import StrEnum


class TaskType(StrEnum):
    """How a problem is answered."""

    MCQ = "MCQ"
    """Options A-D stand in the question; the answer is one letter."""
    OPEN_ENDED = "Open-ended"
    """The shortest answer; units and rounding are named in the question."""
