"""The ways to turn a seed into a new problem (CADS, generation)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NUMERICAL_VARIATION = "Numerical & Parameter Variation"
LOGIC_REVERSION = "Logic Reversion"
AUXILIARY_EXTENSION = "Auxiliary Extension"
ISOMORPHIC_TRANSFER = "Isomorphic Scenario Transfer"

MAX_NAME = 100
MAX_INSTRUCTION = 2_000


@dataclass(frozen=True)
class Strategy:
    """A strategy; a candidate follows exactly one.

    Attributes:
        name: its name, which the writer gives back and which is stored with the candidate.
        instruction: what the writer has to do, as its prompt says it.
    """

    name: str
    instruction: str


PAPER_STRATEGIES = (
    Strategy(
        NUMERICAL_VARIATION,
        "keep the structure of the seed, change its quantities and parameters so that the result "
        "has to be worked out anew",
    ),
    Strategy(LOGIC_REVERSION, "swap what is given and what is asked"),
    Strategy(
        AUXILIARY_EXTENSION, "add elements, conditions or steps that the solution has to go through"
    ),
    Strategy(
        ISOMORPHIC_TRANSFER,
        "move the same reasoning into another scene with other objects, another kind of picture",
    ),
)
"""The four strategies of the paper, by its names; the wording of the instructions is ours."""


def choose_strategies(choices: Mapping[Any, Any]) -> tuple[Strategy, ...]:
    """Change the paper's strategies as a user says.

    Args:
        choices: by name, false to leave one of the paper's out, or the instruction of a new one or
            of one to reword. Names that are not listed stay as they are.

    Returns:
        The paper's strategies in their order, then the new ones.

    Raises:
        ValueError: a choice means nothing, or no strategy is left.
    """
    chosen = {strategy.name: strategy for strategy in PAPER_STRATEGIES}
    for name, choice in choices.items():
        match choice:
            case bool() if name not in chosen:
                known = ", ".join(strategy.name for strategy in PAPER_STRATEGIES)
                raise ValueError(
                    f"{name!r} is {str(choice).lower()}, but the paper has no such strategy; it "
                    f"has {known}. A new strategy needs its instruction as text"
                )
            case True:
                pass
            case False:
                del chosen[name]
            case str() if _is_line(name, MAX_NAME) and _is_line(_one_line(choice), MAX_INSTRUCTION):
                chosen[name] = Strategy(name, _one_line(choice))
            case _:
                raise ValueError(
                    f"{name!r}: a strategy has a name of 1 to {MAX_NAME} characters on one line, "
                    f"and false or an instruction of 1 to {MAX_INSTRUCTION} characters"
                )
    if not chosen:
        raise ValueError("all strategies are left out; a writer needs at least one")
    return tuple(chosen.values())


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _is_line(text: Any, longest: int) -> bool:
    return isinstance(text, str) and 1 <= len(text.strip()) <= longest and text.isprintable()
