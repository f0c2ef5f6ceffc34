"""Who writes how many candidates of a seed, and when (CADS, generation)."""

from collections.abc import Sequence
from math import ceil


def batch_size(candidates: int, members: int, rounds: int) -> int:
    """Return how many candidates a seed gets in one round.

    Args:
        candidates: N, over all rounds.
        members: K, the members among whom they are dealt.
        rounds: T, the rounds that there are.

    Returns:
        max(1, ceil(N / (K * T))) * K: every member gets the same number, at least one.

    >>> batch_size(8, 4, 10)
    4
    """
    return max(1, ceil(candidates / (members * rounds))) * members


def deal(writers: Sequence[str], dealt: int, count: int) -> list[str]:
    """Deal the next `count` candidates of a seed round-robin, going on where `dealt` stopped.

    Over all rounds of a seed no writer has more than one candidate more than another.

    >>> deal(("ada", "ben", "cleo"), 2, 4)
    ['cleo', 'ada', 'ben', 'cleo']
    """
    return [writers[number % len(writers)] for number in range(dealt, dealt + count)]
