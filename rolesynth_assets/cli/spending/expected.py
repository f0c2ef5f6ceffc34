"""What some work is expected to ask of models: calls, images, tokens and cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.cost.spent import Spent

if TYPE_CHECKING:
    from rolesynth_assets.mllm.cost.prices import Prices

CARDS = 2
"""Calls about the two colour cards that a model is shown before it is paid."""


@dataclass(frozen=True)
class Tokens:
    """Tokens of one call on average.

    Attributes:
        prompt: tokens read.
        completion: tokens written.
        basis: what they are estimated from.
    """

    prompt: float
    completion: float
    basis: str


@dataclass(frozen=True)
class Expected:
    """Calls of one kind.

    Attributes:
        what: what they ask for, in the plural.
        model: the model that is asked.
        calls: their number, at most.
        images: images that they show.
        tokens: tokens of a call.
        prices: prices of the model.
        tried: calls before them that try the model, at most.
        in_process: whether the model runs in this process, which takes time and no money.
        in_batches: whether they are asked through a Batch API, at its prices and within a day.
    """

    what: str
    model: str
    calls: int
    images: int
    tokens: Tokens
    prices: Prices
    tried: int = 0
    in_process: bool = False
    in_batches: bool = False

    @property
    def spent(self) -> Spent:
        """All calls as what was asked is counted; the cost is 0 where no price is known."""
        calls = self.calls + self.tried
        whole = round(calls * self.tokens.prompt), round(calls * self.tokens.completion)
        return Spent(calls, *whole, self.prices.cost(calls, *whole))


@dataclass(frozen=True)
class Plan:
    """All that some work is expected to ask of models, but for the embedded ones.

    Attributes:
        asked: kinds of calls, those without a call left out.
        by_shard: expected calls by image shard.
        demo: shards among them that hold the demo's composed pictures.
        assets: assets whose models are not embedded, whether or not a call is expected.
        submitted: requests in open batches, which are paid for and collected.
    """

    asked: tuple[Expected, ...] = ()
    by_shard: tuple[tuple[str, int], ...] = ()
    demo: tuple[str, ...] = ()
    assets: frozenset[str] = frozenset()
    submitted: int = 0

    @property
    def spent(self) -> Spent:
        """The sum over all kinds."""
        return total(kind.spent for kind in self.asked)

    @property
    def paid(self) -> tuple[Expected, ...]:
        """The kinds of calls that may cost money."""
        return tuple(kind for kind in self.asked if not kind.in_process)

    @property
    def priced(self) -> bool:
        """Whether the prices of all models that may cost money are known."""
        return all(kind.prices.known for kind in self.paid)


def total(parts: Iterable[Spent]) -> Spent:
    """Return a sum."""
    return sum(parts, Spent())
