"""The state of the page that compares two sides, all in its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rolesynth_assets.browse.query_string import given_number, query_string
from rolesynth_assets.errors import InputError

PER_PAGE = 10
"""Queries on a page."""
CUTS = (1, 5, 10)
"""Ranks up to which a query counts as found."""
OUTCOMES = {
    "": "where they differ",
    "won": "only B finds it",
    "lost": "only A finds it",
    "both": "both find it",
    "neither": "neither finds it",
    "all": "all queries",
}
"""Which queries are listed, in words."""
DIRECTIONS = {
    "text_to_image": "the image of a caption",
    "image_to_text": "a caption of an image",
    "image_to_class": "the class of an image",
}
"""What is looked for, in words."""


@dataclass(frozen=True)
class Side:
    """A checkpoint, or a recipe with all of its seeds.

    Attributes:
        recipe: the recipe.
        seed: the seed; None for all, where each query counts with the median of its ranks.
    """

    recipe: str
    seed: int | None = None

    @classmethod
    def of(cls, text: str) -> Side:
        """Read a side as addresses write it, ``recipe`` or ``recipe|seed``."""
        recipe, _, seed = text.partition("|")
        return cls(recipe, int(seed) if seed.isascii() and seed.isdigit() else None)

    def __str__(self) -> str:
        """Return the side as addresses write it."""
        return self.recipe if self.seed is None else f"{self.recipe}|{self.seed}"

    @property
    def words(self) -> str:
        """The side in words."""
        return self.recipe if self.seed is None else f"{self.recipe}, seed {self.seed}"


@dataclass(frozen=True)
class CompareView:
    """Which sides are compared on what. An empty text is the default of the page.

    Attributes:
        benchmark: the benchmark.
        direction: what is looked for with what.
        a, b: the sides; see `Side.of`.
        at: rank up to which a query counts as found.
        show: which queries are listed, a key of `OUTCOMES`.
        place: place of the one query that is shown with what is behind it.
        page: number of the page, from 1.
    """

    benchmark: str = ""
    direction: str = ""
    a: str = ""
    b: str = ""
    at: int = 1
    show: str = ""
    place: int | None = None
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> CompareView:
        """Read the state from the parameters of an address; unknown ones are left out.

        Raises:
            InputError: a number is no number, or a word is none of those that there are.
        """
        texts = {name: given.get(name, "") for name in ("benchmark", "direction", "a", "b", "show")}
        if texts["show"] not in OUTCOMES:
            raise InputError(f"show={texts['show'][:20]!r} is none of {', '.join(OUTCOMES)}.")
        at = given_number(given.get("at") or "1", "at")
        asked = given.get("place", "")
        return cls(
            **texts,
            at=at if at in CUTS else 1,
            # places count from 0, and the reader of numbers from 1
            place=given_number(f"1{asked}", "place") and int(asked) if asked else None,
            page=given_number(given.get("page") or "1", "page"),
        )

    def query(self, **changes: Any) -> str:
        """Return the state with some changes as the query of an address; see `query_string`."""
        return query_string(self, changes)
