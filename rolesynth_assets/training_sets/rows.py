"""From a recipe to the rows and images its models train on, pinned to one version of the pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.training_sets.select import select_rows

if TYPE_CHECKING:
    from rolesynth_assets.clip.data.batches import TrainingSet
    from rolesynth_assets.store.lance.reader import StoreReader

_COLUMNS = ["shard", "caption_id", "image_id", "role", "length", "text", "score", "kept"]


def selected_pairs(store: StoreReader, recipe: Recipe, version: int) -> pl.DataFrame:
    """Return the pairs that `recipe` trains on, as they stood at a Lance version of ``pairs``.

    Raises:
        EmptySelectionError: the cut leaves nothing.
        MissingVersionError: that version is gone.
    """
    pairs = store.read("pairs", {"role_set": recipe.role_set}, _COLUMNS, version=version)
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
        pairs: what it selected.
        rows: the training set made of them.
        version: Lance version of ``pairs`` that they were read from.
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


def trained_seeds(recipe: Recipe, folder: Callable[[str, int], Path]) -> list[int]:
    """Return the seeds of a recipe that have a finished checkpoint.

    Args:
        recipe: the recipe.
        folder: where the checkpoint of a recipe name and seed lies.

    Raises:
        CheckpointError: there is none.
    """
    from rolesynth_assets.clip.checkpoint.files import MANIFEST, finished_seeds

    return finished_seeds(recipe.name, recipe.seeds, folder, MANIFEST, "clip_checkpoints")
