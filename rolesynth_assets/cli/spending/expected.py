"""What some work is expected to ask of models: calls, images, tokens and cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.mllm.cost.spent import Spent

if TYPE_CHECKING:
    from rolesynth_assets.mllm.cost.prices import Prices


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
    """

    what: str
    model: str
    calls: int
    images: int
    tokens: Tokens
    prices: Prices

    @property
    def spent(self) -> Spent:
        """The same as what was asked is counted; the cost is 0 where no price is known."""
        read, written = self.calls * self.tokens.prompt, self.calls * self.tokens.completion
        whole = round(read), round(written)
        return Spent(self.calls, *whole, self.prices.cost(self.calls, *whole))


@dataclass(frozen=True)
class Plan:
    """All that some work is expected to ask of models that cost money.

    Attributes:
        asked: kinds of calls, those without a call left out.
        by_shard: expected calls by image shard.
        demo: shards among them that hold the demo's composed pictures.
    """

    asked: tuple[Expected, ...] = ()
    by_shard: tuple[tuple[str, int], ...] = ()
    demo: tuple[str, ...] = ()

    @property
    def spent(self) -> Spent:
        """The sum over all kinds."""
        return total(kind.spent for kind in self.asked)

    @property
    def priced(self) -> bool:
        """Whether the prices of all models are known."""
        return all(kind.prices.known for kind in self.asked)


def total(parts: Iterable[Spent]) -> Spent:
    """Return a sum."""
    return sum(parts, Spent())
