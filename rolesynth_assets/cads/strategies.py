"""The four ways to turn a seed into a new problem (CADS, generation)."""

from enum import StrEnum


class Strategy(StrEnum):
    """The strategies of the paper, by its names; a candidate follows exactly one."""

    NUMERICAL_VARIATION = "Numerical & Parameter Variation"
    """Keep the structure, change the quantities."""
    LOGIC_REVERSION = "Logic Reversion"
    """Swap what is given and what is asked."""
    AUXILIARY_EXTENSION = "Auxiliary Extension"
    """Add elements or steps."""
    ISOMORPHIC_TRANSFER = "Isomorphic Scenario Transfer"
    """The same reasoning in another scene."""
