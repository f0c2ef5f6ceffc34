"""Which of a role set's captions a filter keeps: a policy of a few numbers, read from YAML."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from rolesynth_assets.yaml_files import FrozenModel


class FilterPolicy(FrozenModel):
    """How much of the captions the filter keeps (paper: about 1 / number of roles).

    A role set has one, which decides its kept pairs. A recipe may have another one, which decides
    anew which of the scored captions it trains on.
    """

    keep: float | None = Field(default=None, gt=0, le=1)
    """Share of scored captions to keep; None means 1 / number of roles."""
    floor_per_image: int = Field(default=0, ge=0)
    """Number of captions per image and length kind that are kept even below the cut."""
    per_image: int | None = Field(default=None, ge=1)
    """Keep this number of the best captions per image and length kind, and no other; None makes the
    paper's cut over all images."""
    per_length: bool = True
    """One cut for each length kind, or one for both together."""
    centred: bool = False
    """Compare a caption's score with the mean score of its image and length kind, so that the cut
    over all images does not choose easy images. It chooses those whose scores differ much."""

    @model_validator(mode="after")
    def _one_policy(self) -> Self:
        if self.per_image is not None and (
            self.keep is not None or self.floor_per_image or self.centred
        ):
            raise ValueError(
                "per_image keeps the best captions of each image and makes no cut over all images: "
                "leave keep null, floor_per_image 0 and centred false, or leave per_image out"
            )
        return self

    @property
    def share(self) -> float | None:
        """Share of the captions that the cut over all images keeps; None for 1 / number of roles.

        It is 0 with `per_image`, whose captions are all kept by the floor.
        """
        return 0.0 if self.per_image else self.keep

    @property
    def floor(self) -> int:
        """Number of captions per image and length kind that are kept whatever the cut is."""
        return self.per_image or self.floor_per_image
