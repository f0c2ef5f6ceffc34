"""The rows and images that a recipe trains on, at one version of the pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.clip.recipe import Cut, Recipe, Text
from rolesynth_assets.store.lance.rows import all_of, any_key
from rolesynth_assets.store.left_out import REASONS, TRAINABLE
from rolesynth_assets.training_sets.caption_text import trained_text
from rolesynth_assets.training_sets.own_cut import OwnCut, read_own_cut
from rolesynth_assets.training_sets.pins import shards_not_trained_on
from rolesynth_assets.training_sets.select import select_rows
from rolesynth_assets.training_sets.shards_left_out import outside

if TYPE_CHECKING:
    import pyarrow as pa

    from rolesynth_assets.clip.data.batches import TrainingSet
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.snapshot import TableReader

_COLUMNS = ["shard", "caption_id", "image_id", "role", "length", "text", "score", "kept"]


def trained_selection(small: TableReader, recipe: Recipe) -> tuple[int, tuple[str, ...]]:
    """Return what a recipe's training set was last selected from, as `selected_pairs` takes it.

    Returns:
        The Lance version of ``pairs``, and the shards that were left out.

    Raises:
        ValueError: there is no training set.
    """
    made = small.read("training_sets", {"recipe": recipe.name})
    if made.is_empty():
        raise ValueError(
            f"Recipe {recipe.name!r} has no training set: materialize training_sets for it first."
        )
    left_out = shards_not_trained_on(small, recipe.name, str(made["digest"][0]))
    return int(made["pairs_version"][0]), left_out


def selected_pairs(
    store: StoreReader, recipe: Recipe, version: int, left_out: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the pairs that `recipe` trains on, at a Lance version of ``pairs``.

    Pairs of a shard that had been forgotten by then, and captions that a person had excluded, are
    left out, whatever the recipe's cut.

    Args:
        store: holds the pairs.
        recipe: the recipe.
        version: the Lance version of ``pairs``.
        left_out: shards that the role set's manifest does not list (`shards_left_out`).

    Raises:
        EmptySelectionError: the cut selects no row.
        MissingVersionError: the version was purged.
    """
    where = {"role_set": recipe.role_set}
    own = read_own_cut(store, recipe, version, left_out)
    if own is not None:
        return select_rows(_decided_pairs(store, recipe, own, version, left_out), recipe)
    lengths = any_key("length", recipe.lengths)
    kept = "kept" if recipe.cut is Cut.SCORES else None
    trainable = all_of(TRAINABLE, outside(left_out))
    chosen = all_of(trainable, lengths, kept)
    pairs = pl.DataFrame(store.read("pairs", where, _COLUMNS, chosen, version))
    if pairs.is_empty():  # the message of the error counts what there is
        few = [column for column in _COLUMNS if column != "text"]
        pairs = pl.DataFrame(store.read("pairs", where, few, trainable, version))
    return select_rows(pairs, recipe)


def _decided_pairs(
    store: StoreReader, recipe: Recipe, own: OwnCut, version: int, left_out: Sequence[str]
) -> pl.DataFrame:
    """Return the pairs that a recipe may take by its own decision, read shard by shard."""
    where = {"role_set": recipe.role_set}
    found = []
    for shard in sorted(store.values("pairs", "shard", where, version) - set(left_out)):
        rows = store.read("pairs", {**where, "shard": shard}, [*_COLUMNS, "reason"], None, version)
        decided = own.decide(pl.DataFrame(rows))
        by_hand = pl.col("reason").is_in(REASONS).fill_null(False)
        wanted = ~by_hand & pl.col("length").is_in(list(recipe.lengths))
        if recipe.cut is Cut.SCORES:
            wanted &= pl.col("kept")
        found.append(decided.filter(wanted).select(_COLUMNS))
    return pl.concat(found)


def training_set(store: StoreReader, recipe: Recipe, pairs: pl.DataFrame) -> TrainingSet:
    """Join selected pairs, as far as the recipe trains on their texts, with their images.

    The images are looked for once, at the first use, and then read from that version by address.
    """
    from rolesynth_assets.clip.data.batches import TrainingSet
    from rolesynth_assets.store.lance.image_rows import ImageRows

    @cache
    def rows() -> ImageRows:
        return ImageRows(store, pairs["image_id"].to_list())

    def images(ids: Sequence[str]) -> dict[str, bytes]:
        return rows().read(ids)

    return TrainingSet.from_rows(training_rows(recipe, pairs), images)


def training_rows(recipe: Recipe, pairs: pl.DataFrame) -> pa.Table:
    """Return ``image_id`` and ``text`` of selected pairs, with the texts that are trained on."""
    if recipe.text is Text.WHOLE:
        return pairs.select("image_id", "text").to_arrow()
    rows = pairs.select("caption_id", "text").iter_rows()
    texts = [trained_text(recipe.text, key, text, recipe.draw_seed) for key, text in rows]
    return pairs.select("image_id", pl.Series("text", texts, dtype=pl.String)).to_arrow()


def training_set_row(
    recipe: Recipe, pairs: pl.DataFrame, rows: TrainingSet, version: int
) -> pl.DataFrame:
    """Return the row of the small table ``training_sets``.

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
