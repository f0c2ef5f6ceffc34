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
