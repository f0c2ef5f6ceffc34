"""The selection of a role set's captions for a recipe."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from rolesynth_assets.clip.recipe import Cut, Recipe
from rolesynth_assets.store.digests import digest_each


class EmptySelectionError(ValueError):
    """A recipe's cut selects no caption to train on."""


def select_rows(pairs: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """Return the rows of the pairs table that a recipe trains on.

    A caption in several shards counts once. The random cut draws as many captions per length kind
    as the filter kept, from the captions that it scored. The lot of a caption depends only on
    ``draw_seed`` and its id, so one more candidate displaces at most one other.

    Args:
        pairs: rows of the ``pairs`` table of the recipe's role set, all shards: at least
            ``caption_id``, ``length``, ``score``, ``kept``.
        recipe: its ``cut``, ``draw_seed`` and ``lengths`` are used.

    Returns:
        Rows with the columns of ``pairs``, sorted by ``caption_id``.

    Raises:
        EmptySelectionError: no row is left.
    """
    once = (
        pairs.filter(pl.col("length").is_in(list(recipe.lengths)))
        .sort("caption_id", "kept", descending=[False, True])  # one shard that kept it is enough
        .unique("caption_id", keep="first", maintain_order=True)
    )
    if recipe.cut is Cut.ALL:
        chosen = once
    elif recipe.cut is Cut.SCORES:
        chosen = once.filter("kept")
    else:
        chosen = _random_cut(once, recipe.draw_seed)
    if chosen.is_empty():
        raise EmptySelectionError(
            f"Recipe {recipe.name!r} selects no caption: of {pairs.height} pairs of role set "
            f"{recipe.role_set!r}, {once.height} have length {' or '.join(recipe.lengths)} and "
            f"{int(once['kept'].sum() or 0)} of these were kept by the filter (cut: {recipe.cut}). "
            "Materialize filtered_pairs for this role set, or loosen its filter."
        )
    return chosen


def draw(seed: int, caption_ids: Iterable[str]) -> list[str]:
    """Return each caption's lot in the random cut, which selects the smallest lots."""
    return digest_each(("random cut", seed), caption_ids)


def _random_cut(candidates: pl.DataFrame, seed: int) -> pl.DataFrame:
    quota = pl.col("kept").sum().over("length")
    rank = pl.col("_draw").rank("ordinal").over("length")
    draws = draw(seed, candidates["caption_id"])
    return (
        candidates.with_columns(pl.Series("_draw", draws, dtype=pl.String), quota.alias("_quota"))
        .filter(pl.col("score").is_not_null() | pl.col("kept"))
        .filter(rank <= pl.col("_quota"))
        .drop("_draw", "_quota")
    )
