"""The captions behind a side: what its recipe was trained on that is closest to a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from rolesynth_assets.browse.captions.cards import ShownCaption, shown_captions
from rolesynth_assets.browse.captions.view import LONGEST_QUERY, Decision
from rolesynth_assets.clip.recipe import Cut
from rolesynth_assets.store.text_index import TextIndex

if TYPE_CHECKING:
    from rolesynth_assets.browse.desk import Desk
    from rolesynth_assets.clip.recipe import Recipe

SHOWN = 4
"""Captions shown of a side, one of an image."""
_SEARCHED = 500


@dataclass(frozen=True)
class Behind:
    """What a recipe was trained on that is about the same.

    Attributes:
        role_set: the role set that the recipe trains on; empty if its file is gone.
        captions: captions with words of the query, the best match first.
        note: why there is none; empty if there are some.
        link: query of the page with all of them.
    """

    role_set: str = ""
    captions: tuple[ShownCaption, ...] = ()
    note: str = ""
    link: str = ""


def captions_behind(desk: Desk, recipe: Recipe | None, text: str) -> Behind:
    """Find the captions closest to a query that a recipe trains on, by their words.

    Args:
        desk: the tables.
        recipe: the recipe; None if its file is gone.
        text: the query's words.
    """
    if recipe is None:
        return Behind(note="The file of this recipe is gone.")
    if recipe.schedule.steps == 0:
        return Behind(recipe.role_set, note="It is not trained on captions of this project.")
    index = TextIndex(desk.root, recipe.role_set)
    if recipe.role_set not in desk.captions.role_sets() or index.facts is None:
        return Behind(recipe.role_set, note="Its captions have no search index.")
    asked = " ".join(text.split())[:LONGEST_QUERY]
    link = {"role_set": recipe.role_set, "q": asked}
    columns = desk.captions.columns(recipe.role_set)
    frame = columns.frame.filter(columns.frame["length"].cast(str).is_in(recipe.lengths))
    if recipe.cut is Cut.SCORES:
        frame = frame.filter(frame["decision"] == Decision.KEPT.value)
        link["decision"] = Decision.KEPT.value
    found = frame.join(index.search(asked, _SEARCHED), on="caption_id", how="inner")
    best = found.sort("relevance", "row", descending=[True, False]).unique(
        "image_id", keep="first", maintain_order=True
    )
    note = "" if best.height else "No caption that it trains on has a word of this."
    shown = tuple(shown_captions(columns, best.head(SHOWN)))
    return Behind(recipe.role_set, shown, note, urlencode(link))
