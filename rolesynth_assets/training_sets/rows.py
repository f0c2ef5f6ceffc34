"""The rows and images that a recipe trains on, at one version of the pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.store.lance.schemas import TRAINABLE
from rolesynth_assets.training_sets.select import select_rows

if TYPE_CHECKING:
    from rolesynth_assets.clip.data.batches import TrainingSet
    from rolesynth_assets.store.lance.reader import StoreReader

_COLUMNS = ["shard", "caption_id", "image_id", "role", "length", "text", "score", "kept"]


def selected_pairs(store: StoreReader, recipe: Recipe, version: int) -> pl.DataFrame:
    """Return the pairs that `recipe` trains on, at a Lance version of ``pairs``.

    Pairs of a shard that had been forgotten by then, and captions that a person had excluded, are
    left out, whatever the recipe's cut.

    Raises:
        EmptySelectionError: the cut selects no row.
        MissingVersionError: the version was purged.
    """
    pairs = store.read("pairs", {"role_set": recipe.role_set}, _COLUMNS, TRAINABLE, version)
    return select_rows(pl.DataFrame(pairs), recipe)


def training_set(store: StoreReader, pairs: pl.DataFrame) -> TrainingSet:
    """Join selected pairs with a reader of their images."""
    from rolesynth_assets.clip.data.batches import TrainingSet

    shard_of: Mapping[str, str] = dict(pairs.select("image_id", "shard").iter_rows())

    def images(ids: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for shard in {shard_of[i] for i in ids}:
            found |= store.image_bytes([i for i in ids if shard_of[i] == shard], shard)
        return found

    return TrainingSet.from_rows(pairs.select("image_id", "text").to_arrow(), images)


def training_set_row(
    recipe: Recipe, pairs: pl.DataFrame, rows: TrainingSet, version: int
) -> pl.DataFrame:
    """Return the row of the warehouse table ``training_sets``.

    Args:
        recipe: the recipe.
        pairs: rows that it selected.
        rows: the training set made of these rows.
        version: the Lance version of ``pairs`` from which they were read.
    """
    row = {
        "recipe": recipe.name,
        "role_set": recipe.role_set,
        "cut": str(recipe.cut),
        "pairs": pairs.height,
        "images": pairs["image_id"].n_unique(),
        "pairs_version": version,
        "digest": rows.digest,
        "recipe_digest": recipe.digest,
    }
    return pl.DataFrame([row])
