"""The four ways to turn a seed into a new problem (CADS, generation)."""

from enum import StrEnum


class Strategy(StrEnum):
    """A candidate follows exactly one; the names are those of the paper."""

    NUMERICAL_VARIATION = "Numerical & Parameter Variation"
    """Keep the structure, change the quantities."""
    LOGIC_REVERSION = "Logic Reversion"
    """Swap what is given and what is asked."""
    AUXILIARY_EXTENSION = "Auxiliary Extension"
    """Add elements or steps."""
    ISOMORPHIC_TRANSFER = "Isomorphic Scenario Transfer"
    """The same reasoning in another scene."""


class TaskType(StrEnum):
    """How a problem is answered."""

    MCQ = "MCQ"
    """Options A-D stand in the question; the answer is one letter."""
    OPEN_ENDED = "Open-ended"
    """The shortest answer; units and rounding are named in the question."""
