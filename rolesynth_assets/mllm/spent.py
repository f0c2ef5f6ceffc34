"""The model calls, tokens and cost of a partition, as recorded in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True)
class Spent:
    """Model calls with their tokens, and their cost by the project's prices.

    Each asset that calls a model records these as `rolesynth/<field>` in its metadata.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0

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
    def metadata(self) -> dict[str, int | float]:
        """The metadata that records it."""
        return {f"rolesynth/{f.name}": getattr(self, f.name) for f in fields(self)}

    @classmethod
    def told(cls, metadata: Mapping[str, dg.MetadataValue]) -> Spent:
        """Read it from an asset's metadata; a missing entry counts as 0."""
        found = {f.name: metadata.get(f"rolesynth/{f.name}") for f in fields(cls)}
        return cls(**{name: entry.value for name, entry in found.items() if entry is not None})  # type: ignore[arg-type]
