"""The model calls, tokens and cost of a partition, as recorded in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


_IN_METADATA = ("calls", "prompt_tokens", "completion_tokens", "cost")


@dataclass(frozen=True)
class Spent:
    """What something took of models: requests, whether made now or replayed, and their tokens.

    Each asset that asks a model reports all but the seconds as `rolesynth/<field>` in its metadata.

    Attributes:
        calls: requests to a model.
        prompt_tokens: tokens read.
        completion_tokens: tokens written.
        cost: by the project's prices, in their currency; 0 where it is counted elsewhere.
        latency_s: seconds of the answering attempts, one after the other; 0 where not measured.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    latency_s: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        """Return the sum of both."""
        return Spent(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def since(self, earlier: Spent) -> Spent:
        """Return the difference to `earlier`."""
        return Spent(*(a - b for a, b in zip(astuple(self), astuple(earlier), strict=True)))

    def most(self, other: Spent) -> Spent:
        """Return the greater of both, field by field."""
        return Spent(*map(max, astuple(self), astuple(other)))

    @property
    def in_words(self) -> str:
        """Calls, tokens and cost as progress shows them; empty if nothing was asked."""
        if not self.calls:
            return ""
        said = f"{self.calls:,} call{'s' if self.calls > 1 else ''}"
        if tokens := self.prompt_tokens + self.completion_tokens:
            said += f", {tokens:,} tokens"
        return said + (f", cost {self.cost:,.2f}" if self.cost else "")

    @property
    def metadata(self) -> dict[str, int | float]:
        """The metadata that records it."""
        return {f"rolesynth/{name}": getattr(self, name) for name in _IN_METADATA}

    @classmethod
    def plain(cls, metadata: Mapping[str, object]) -> Spent:
        """Read it from the plain values of an asset's metadata."""
        found = {name: metadata.get(f"rolesynth/{name}") for name in _IN_METADATA}
        return cls(**{name: value for name, value in found.items() if value is not None})  # type: ignore[arg-type]

    @classmethod
    def recorded(cls, metadata: Mapping[str, dg.MetadataValue]) -> Spent:
        """Read it from an asset's metadata; what is not there is nothing."""
        found = {name: metadata.get(f"rolesynth/{name}") for name in _IN_METADATA}
        return cls(**{name: entry.value for name, entry in found.items() if entry is not None})  # type: ignore[arg-type]


class SpentOn(dict[str, Spent]):
    """What models were asked, by the asset that was made."""

    def add(self, asset: str, spent: Spent) -> None:
        """Count more for an asset."""
        self[asset] = self.get(asset, Spent()) + spent

    @property
    def all(self) -> Spent:
        """The sum over all assets."""
        return sum(self.values(), Spent())
