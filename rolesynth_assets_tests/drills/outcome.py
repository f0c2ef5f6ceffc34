"""What a drill tried and what held, as one row of `docs/reliability.md`."""

from dataclasses import dataclass
from typing import Literal

Size = Literal["small", "long"]
"""`small` runs in `make test` within seconds, `long` in `make drills`."""


@dataclass(frozen=True)
class Outcome:
    """One kind of fault, tried a number of times.

    Attributes:
        fault: what was done to the program, as a noun phrase.
        tried: how many times.
        held: how often the program behaved as promised.
        promise: what should happen, one clause.
    """

    fault: str
    tried: int
    held: int
    promise: str
