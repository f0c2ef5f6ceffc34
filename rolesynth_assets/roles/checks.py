"""Data-quality checks over the roles of one role set."""

import re
from collections.abc import Sequence
from itertools import combinations

from rolesynth_assets.check_outcome import CheckOutcome
from rolesynth_assets.roles.role import LengthKind, Role

MAX_OVERLAP = 0.8
"""Two roles count as the same role if their responsibilities share more of their words than this.
"""
MAX_PROMPT_WORDS = 120
"""Twice the length of the shipped prompts; longer prompts fill the context of small models."""


def roles_distinct(roles: Sequence[Role], max_overlap: float = MAX_OVERLAP) -> CheckOutcome:
    """Pass when no two roles have the same name or nearly the same responsibilities.

    The value is the largest word overlap (Jaccard) of two roles' responsibilities; two equal names
    or prompts count as 1.
    """
    worst, pair = 0.0, ("", "")
    for one, other in combinations(roles, 2):
        overlap = _overlap(one, other)
        if overlap > worst:
            worst, pair = overlap, (one.name, other.name)
    return CheckOutcome(
        passed=bool(roles) and worst <= max_overlap,
        value=round(worst, 4),
        threshold=max_overlap,
        description=(
            f"{len(roles)} roles; the closest two share {worst:.0%} of their words"
            + (f" ({pair[0]} and {pair[1]})" if pair[0] else "")
        ),
        metadata={"roles": [role.name for role in roles], "closest": list(pair)},
    )


def role_count(roles: Sequence[Role], expected: int) -> CheckOutcome:
    """Pass when the set has exactly as many roles as its YAML file asks for."""
    return CheckOutcome(
        passed=len(roles) == expected,
        value=len(roles),
        threshold=expected,
        description=f"{len(roles)} roles of {expected} requested",
        metadata={"roles": [role.name for role in roles]},
    )


def prompts_short(roles: Sequence[Role], max_words: int = MAX_PROMPT_WORDS) -> CheckOutcome:
    """Pass when every role's user text stays within `max_words` words."""
    words = {
        f"{role.name} / {length}": len(role.prompt(length).split())
        for role in roles
        for length in LengthKind
    }
    longest = max(words, key=words.__getitem__, default="")
    value = words.get(longest, 0)
    return CheckOutcome(
        passed=0 < value <= max_words,
        value=value,
        threshold=max_words,
        description=f"the longest prompt has {value} words ({longest or 'no roles'})",
        metadata={"words": words},
    )


def _overlap(one: Role, other: Role) -> float:
    if one.name.casefold() == other.name.casefold():
        return 1.0
    if any(one.prompt(length) == other.prompt(length) for length in LengthKind):
        return 1.0
    words, other_words = _words(one.responsibilities), _words(other.responsibilities)
    return len(words & other_words) / len(words | other_words) if words | other_words else 1.0


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))
