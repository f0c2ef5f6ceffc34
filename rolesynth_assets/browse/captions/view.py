"""The state of a page of captions: its filters, its order and its place, all in its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rolesynth_assets.browse.query_string import given_number, query_string
from rolesynth_assets.errors import InputError

PER_PAGE = 24
"""Images on a page."""
LONGEST_QUERY = 400
"""Characters of a search; more is cut."""


class Order(StrEnum):
    """How the images of a page are sorted."""

    STORED = "stored"
    BEST_MATCH = "match"
    LOWEST_SCORE = "lowest"
    HIGHEST_SCORE = "highest"
    DISAGREEMENT = "disagreement"
    NEAR_CUT = "doubt"


ORDERS = {
    Order.STORED: "as stored",
    Order.BEST_MATCH: "best match first",
    Order.LOWEST_SCORE: "lowest score first",
    Order.HIGHEST_SCORE: "highest score first",
    Order.DISAGREEMENT: "roles disagree most",
    Order.NEAR_CUT: "nearest to the cut",
}
"""The words of each order."""


class Decision(StrEnum):
    """What became of a caption."""

    KEPT = "kept"
    DROPPED = "dropped"
    FAILED = "failed"
    """There is no text, for a reason."""
    OPEN = "open"
    """The filter has not seen it yet."""


class SearchBy(StrEnum):
    """What a search compares."""

    WORDS = "words"
    MEANING = "meaning"
    BOTH = "both"


WAYS = {
    SearchBy.WORDS: "by words",
    SearchBy.MEANING: "by meaning",
    SearchBy.BOTH: "by both",
}
"""The words of each way to search."""


@dataclass(frozen=True)
class View:
    """The state of a page of captions. An empty text sets no filter.

    Attributes:
        role_set: role set that is shown.
        q: words to search for.
        by: what the search compares; empty is words.
        like: id of a caption or an image whose captions' meaning is searched for, in place of `q`.
        shard, role, length, model: only captions with this value.
        decision: only captions of which this became.
        reason: only captions with this reason.
        low, high: bounds of the score, 1 to 100, both included.
        sort: order of the images.
        page: number of the page, from 1.
    """

    role_set: str = ""
    q: str = ""
    by: str = ""
    like: str = ""
    shard: str = ""
    role: str = ""
    length: str = ""
    model: str = ""
    decision: str = ""
    reason: str = ""
    low: int | None = None
    high: int | None = None
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, given: Mapping[str, str]) -> View:
        """Read the state from the parameters of an address; unknown ones are left out.

        Raises:
            InputError: a number is no number, or a word is none of those that there are.
        """
        texts = {
            name: " ".join(given[name].split())[:LONGEST_QUERY]
            for name in ("role_set", "q", "like", "shard", "role", "length", "model", "reason")
            if name in given
        }
        if texts.get("q"):
            texts.pop("like", None)  # words that somebody typed replace it
        return cls(
            **texts,
            by=_one_of(SearchBy, given.get("by", ""), "by"),
            decision=_one_of(Decision, given.get("decision", ""), "decision"),
            sort=_one_of(Order, given.get("sort", ""), "sort"),
            low=_score(given.get("low", ""), "low"),
            high=_score(given.get("high", ""), "high"),
            page=given_number(given.get("page", "1") or "1", "page"),
        )

    @property
    def order(self) -> Order:
        """The order in use: a search shows its best matches first unless another is chosen."""
        return Order(self.sort or (Order.BEST_MATCH if self.asks else Order.STORED))

    @property
    def asks(self) -> bool:
        """Whether it searches for anything."""
        return bool(self.q or self.like)

    @property
    def searched(self) -> SearchBy:
        """What its search compares."""
        return SearchBy.MEANING if self.like else SearchBy(self.by or SearchBy.WORDS)

    @property
    def filters(self) -> dict[str, str]:
        """Filters that are set, by name, in the order in which the page lists them."""
        bounds = ("low", "high")
        named = ("shard", "role", "length", "decision", "reason", "model", *bounds)
        return {
            name: str(value) for name in named if (value := getattr(self, name)) not in ("", None)
        }

    def query(self, **changes: object) -> str:
        """Return the state with some changes as the query of an address; see `query_string`."""
        return query_string(self, changes)


def _one_of(kind: type[StrEnum], text: str, name: str) -> str:
    if text and text not in [*kind]:
        raise InputError(f"{name}={text!r} is none of {', '.join(kind)}.")
    return text


def _score(text: str, name: str) -> int | None:
    return min(100, given_number(text, name)) if text.strip() else None
