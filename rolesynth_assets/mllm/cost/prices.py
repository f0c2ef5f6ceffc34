"""Prices of a model's calls."""

from typing import Annotated

from pydantic import Field

from rolesynth_assets.yaml_files import FrozenModel

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Prices(FrozenModel):
    """Prices of one model, in whatever currency all prices of a project are given in."""

    per_million_prompt_tokens: Price = 0.0
    """Price of a million tokens that the model reads, images included."""
    per_million_completion_tokens: Price = 0.0
    """Price of a million tokens that the model writes."""
    per_call: Price = 0.0
    """Price of a request besides its tokens; captioning and judging send one image with each."""

    @property
    def known(self) -> bool:
        """Whether any price is above 0."""
        return any(self.model_dump().values())

    def cost(self, calls: int, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the cost of some calls, given the sums of their tokens."""
        return (
            calls * self.per_call
            + prompt_tokens * self.per_million_prompt_tokens / 1e6
            + completion_tokens * self.per_million_completion_tokens / 1e6
        )
