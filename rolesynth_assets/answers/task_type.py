"""The type of a problem: multiple choice with four options, or open-ended."""

from enum import StrEnum


class TaskType(StrEnum):
    """The form of a problem's answer."""

    MCQ = "MCQ"
    """The question contains options A-D; the answer is one letter."""
    OPEN_ENDED = "Open-ended"
    """The answer is as short as possible; the question names units and rounding."""
