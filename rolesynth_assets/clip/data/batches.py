"""The training set of one recipe, and its batches for one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import polars as pl
import pyarrow as pa

from rolesynth_assets.clip.recipe import BatchLayout, Recipe
from rolesynth_assets.store.digests import seed_from, table_digest

ImageReader = Callable[[Sequence[str]], Mapping[str, bytes]]
"""A function from image ids to encoded bytes; it leaves out the images that it does not have."""


class TrainingSetError(ValueError):
    """A training set cannot be trained on."""


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """Flat (image, caption) rows, grouped by image.

    Rows are sorted by (image id, text), so the order in which they were stored changes neither the
    digest nor the training.

    Attributes:
        image_ids: distinct image ids, sorted.
        texts: all captions, those of one image next to each other.
        offsets: int64 of shape (images + 1,); image i owns ``texts[offsets[i]:offsets[i + 1]]``.
        images: reader of the encoded images.
    """

    image_ids: tuple[str, ...]
    texts: pa.LargeStringArray
    offsets: np.ndarray
    images: ImageReader

    @classmethod
    def from_rows(cls, rows: pa.Table, images: ImageReader) -> TrainingSet:
        """Group rows by image.

        Args:
            rows: one row per caption with ``image_id`` and ``text``; other columns are ignored.
            images: reader of the encoded images.

        Raises:
            TrainingSetError: there are no rows, only one image, or an empty id or text.
        """
        columns = [pl.Series(c, rows[c]).cast(pl.String) for c in ("image_id", "text")]
        frame = pl.DataFrame(columns)
        _refuse_unusable(frame)
        frame = frame.sort("image_id", "text")
        runs = frame["image_id"].rle().struct
        lengths = runs.field("len").to_numpy().astype(np.int64)
        return cls(
            tuple(runs.field("value").to_list()),
            frame["text"].to_arrow().cast(pa.large_string()),
            np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
            images,
        )

    @property
    def pairs(self) -> int:
        """Number of (image, caption) rows."""
        return len(self.texts)

    @cached_property
    def owners(self) -> np.ndarray:
        """The image index of every caption, int64 of shape (pairs,)."""
        return np.repeat(np.arange(len(self.image_ids)), np.diff(self.offsets))

    @cached_property
    def digest(self) -> str:
        """Digest of all (image id, caption) rows in any order, 64 hex characters."""
        ids = pa.array(self.image_ids, pa.large_string()).take(pa.array(self.owners))
        rows = pa.table({"image_id": ids, "text": self.texts})
        return table_digest(rows, ["image_id", "text"])

    def captions(self, indices: np.ndarray) -> list[str]:
        """Return captions by row index."""
        return self.texts.take(pa.array(indices)).to_pylist()


def _refuse_unusable(rows: pl.DataFrame) -> None:
    if rows.is_empty():
        raise TrainingSetError(
            "The training set has no rows. Check that its role set has filtered pairs, and that "
            "the recipe's cut and lengths keep some of them."
        )
    for column in rows.columns:
        bad = rows.filter(pl.col(column).fill_null("") == "").height
        if bad:
            raise TrainingSetError(f"{bad} of {rows.height} training rows have an empty {column}.")
    if rows["image_id"].n_unique() < 2:
        raise TrainingSetError(
            f"All {rows.height} training rows belong to one image; a contrastive loss needs at "
            "least two images."
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """The data of one optimiser step, as indices into a training set.

    Attributes:
        images: (N,) image index of every image row; distinct in the rectangular layout.
        texts: (M,) caption row indices.
        owners: (M,) image index of the image each caption describes.
    """

    images: np.ndarray
    texts: np.ndarray
    owners: np.ndarray


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """The batches of a run, each a function of training set, recipe, seed and step alone.

    A resumed run therefore needs only its step number. An epoch leaves out a remainder that is
    smaller than a batch; the next epoch is shuffled anew and leaves out other rows.

    Attributes:
        training_set: rows to draw from.
        recipe: its layout, captions per image, batch size and length are used.
        seed: seed of the shuffles and of the drawn captions.
    """

    training_set: TrainingSet
    recipe: Recipe
    seed: int

    @property
    def batch_size(self) -> int:
        """Image rows in a batch: the recipe's number, or all rows if there are fewer."""
        return min(self.recipe.schedule.batch_images, self._units)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in which each image (rectangular) or row (square) occurs at most once."""
        return self._units // self.batch_size

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the run."""
        schedule = self.recipe.schedule
        return schedule.steps or (schedule.epochs or 0) * self.steps_per_epoch

    def batch(self, step: int) -> Batch:
        """Return the batch of optimiser step ``step``, counted from 0."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = _shuffle(self._units, self.seed, epoch)
        drawn = order[place * self.batch_size : (place + 1) * self.batch_size]
        owners = self.training_set.owners
        if self.recipe.layout is BatchLayout.SQUARE:
            return Batch(owners[drawn], drawn, owners[drawn])
        texts = np.concatenate([self._captions_of(int(image), epoch) for image in drawn])
        return Batch(drawn, texts, owners[texts])

    @property
    def _units(self) -> int:
        square = self.recipe.layout is BatchLayout.SQUARE
        return self.training_set.pairs if square else len(self.training_set.image_ids)

    def _captions_of(self, image: int, epoch: int) -> np.ndarray:
        """Return up to ``captions_per_image`` rows of an image, drawn anew each epoch."""
        first, end = self.training_set.offsets[image : image + 2]
        most = self.recipe.captions_per_image
        if end - first <= most:
            return np.arange(first, end)
        key = seed_from(self.training_set.image_ids[image])  # by id, so other images change nothing
        rng = np.random.default_rng([self.seed, epoch, key])
        return first + np.sort(rng.choice(end - first, most, replace=False))


@lru_cache(maxsize=2)  # the epoch in progress, and the next one for the look-ahead
def _shuffle(units: int, seed: int, epoch: int) -> np.ndarray:
    order = np.random.default_rng([seed, epoch]).permutation(units)
    order.flags.writeable = False
    return order
