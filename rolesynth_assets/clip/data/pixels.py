"""The model input of encoded images, which are decoded once if they fit in memory."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rolesynth_assets.clip.data.batches import TrainingSet, TrainingSetError
from rolesynth_assets.pictures.opened import draft_large, open_picture

CACHE_BYTES = 4 * 1024**3
"""A training set is decoded once if its decoded images need at most this much memory."""

_LARGEST_INPUT = (1024, 1024)
"""Pixels; more than any of open_clip's models takes."""
CHUNK = 1024  # images read and decoded at a time while the cache is filled


class PixelSource:
    """Decoded images of a training set at the model's resolution, by image index.

    Preprocessing is open_clip's evaluation transform (resize, centre crop, no augmentation), so an
    image has the same pixels in every epoch, as in the paper. The cache holds the uint8 result of
    the geometric part; `normalise` does the rest.
    """

    def __init__(
        self, training_set: TrainingSet, preprocess: Any, cache_bytes: int = CACHE_BYTES
    ) -> None:
        """Decode all images now if they fit in ``cache_bytes``, else batch by batch.

        Args:
            training_set: the set whose images are read.
            preprocess: open_clip's evaluation transform.
            cache_bytes: most memory that the decoded images may take.

        Raises:
            TrainingSetError: an image is missing or cannot be decoded. For a set that is too large
                for the cache, `batch` raises it instead.
        """
        self._set = training_set
        self._geometry, self._mean, self._std = split_preprocess(preprocess)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._cache: Tensor | None = None
        everything = np.arange(len(training_set.image_ids))
        one = self._decode(everything[:1])
        if one.nbytes * len(everything) <= cache_bytes:
            self._cache = torch.empty((len(everything), *one.shape[1:]), dtype=torch.uint8)
            for start in range(0, len(everything), CHUNK):
                part = everything[start : start + CHUNK]
                self._cache[start : start + CHUNK] = self._decode(part)

    def batch(self, images: np.ndarray) -> Tensor:
        """Return uint8 pixels of shape (N, 3, height, width) for image indices of shape (N,)."""
        if self._cache is not None:
            return self._cache[torch.tensor(images)]
        distinct, back = np.unique(images, return_inverse=True)
        return self._decode(distinct)[torch.tensor(back)]

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn uint8 pixels into the float32 input of the model, on the device they are on."""
        return normalise(pixels, self._mean, self._std)

    def close(self) -> None:
        """Stop the decoding threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, images: np.ndarray) -> Tensor:
        ids = [self._set.image_ids[i] for i in images]
        encoded = self._set.images(ids)
        missing = [i for i in ids if i not in encoded]
        if missing:
            raise TrainingSetError(
                f"{len(missing)} of {len(ids)} images are not in the image store; the "
                f"first is {missing[0]!r}. Materialize the image shards of the pairs, or "
                "materialize the pairs again from the shards that exist."
            )
        return torch.stack(list(self._pool.map(self._decode_one, ids, [encoded[i] for i in ids])))

    def _decode_one(self, image_id: str, encoded: bytes) -> Tensor:
        try:
            with open_picture(encoded) as image:
                draft_large(image, _LARGEST_INPUT)
                fitted = self._geometry(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:  # PIL refuses a file with these
            raise TrainingSetError(
                f"Image {image_id!r} of the training set cannot be decoded ({error}). Ingest its "
                "shard again: images that do not decode become rejects there."
            ) from error
        return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)


def split_preprocess(preprocess: Any) -> tuple[Any, Tensor, Tensor]:
    """Split open_clip's evaluation transform into its geometric part, mean and std.

    Returns:
        A transform from PIL image to PIL image, and mean and std of shape (3, 1, 1).

    Raises:
        ValueError: the transform does not end in ToTensor and Normalize.
    """
    from torchvision.transforms import Compose, Normalize

    steps = list(preprocess.transforms)
    if not isinstance(steps[-1], Normalize) or "ToTensor" not in type(steps[-2]).__name__:
        raise ValueError(
            f"The transform ends in {steps[-2:]}, not in ToTensor and Normalize as open_clip's "
            "evaluation transforms do."
        )
    mean, std = (torch.tensor(list(v)).view(3, 1, 1) for v in (steps[-1].mean, steps[-1].std))
    return Compose(steps[:-2]), mean, std


def normalise(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Apply ToTensor and Normalize to uint8 pixels of shape (N, 3, height, width)."""
    scaled = pixels.to(torch.float32).div(255)
    return (scaled - mean.to(pixels.device)) / std.to(pixels.device)
