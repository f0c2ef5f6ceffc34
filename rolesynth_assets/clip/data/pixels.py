"""The model input of encoded images, each of which is decoded once if there is room for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rolesynth_assets.clip.data.batches import TrainingSet, TrainingSetError
from rolesynth_assets.clip.data.decoding import Decoders, usable_cpus
from rolesynth_assets.clip.data.geometry import Geometry
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.pixel_rows import PixelRows, open_rows
from rolesynth_assets.parallel.worker_process import WorkerEndedError
from rolesynth_assets.progress import reporting

CACHE_BYTES = 4 * 1024**3
"""A training set is held in memory if its decoded images need at most this much."""

CHUNK = 1024  # images read and decoded at a time while memory is filled
_READERS = 8  # threads that read stored rows; a disk answers several at a time


class PixelSource:
    """Decoded images of a training set at the model's resolution, by image index.

    Preprocessing is open_clip's evaluation transform (resize, centre crop, no augmentation), so an
    image has the same pixels in every epoch, as in the paper. What is kept, in memory and on disk,
    is the uint8 result of the geometric part; `normalise` does the rest.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        preprocess: Any,
        cache_bytes: int = CACHE_BYTES,
        *,
        kept: InputCache | None = None,
        workers: int | None = None,
        trainings: int = 1,
    ) -> None:
        """Load all images now if they fit in ``cache_bytes``, else batch by batch.

        Args:
            training_set: the set whose images are read.
            preprocess: open_clip's evaluation transform.
            cache_bytes: most memory that the decoded images may take.
            kept: where decoded images are kept for later epochs and trainings; a set that does not
                fit in memory is decoded anew in each epoch without it.
            workers: threads or processes that decode at the same time; all CPUs by default.
            trainings: number of processes on this machine that train on the set together, between
                which memory and CPUs are divided.

        Raises:
            TrainingSetError: an image is missing or cannot be decoded. For a set that is too large
                for memory, `batch` raises it instead.
        """
        self._set = training_set
        fit, self._mean, self._std = split_preprocess(preprocess)
        self._shape, count = _shape(fit), len(training_set.image_ids)
        row_bytes = int(np.prod(self._shape))
        self._rows: PixelRows | None = None
        if kept is not None:
            ids, most = training_set.image_ids, kept.pixel_bytes
            self._rows = open_rows(kept.root, _pixel_identity(fit), row_bytes, ids, most)
        in_memory = row_bytes * count * trainings <= cache_bytes
        again = self._rows is None and not in_memory  # each epoch decodes all of them
        left = 2 * count if again else count - (self._rows.held if self._rows else 0)
        workers = workers or max(1, usable_cpus() // trainings)
        self._decoders = Decoders(fit, left, workers)
        self._readers = ThreadPoolExecutor(min(_READERS, usable_cpus()))
        self._writer = ThreadPoolExecutor(1)
        self._written: tuple[np.ndarray, Future[None]] | None = None
        self._memory: Tensor | None = None
        if in_memory:
            try:
                self._memory = self._everything()
            except BaseException:
                self.close()
                raise

    def batch(self, images: np.ndarray) -> Tensor:
        """Return uint8 pixels of shape (N, 3, height, width) for image indices of shape (N,).

        In memory the channels are last, which is the layout that convolutions want.
        """
        if self._memory is not None:
            return self._memory[torch.tensor(images)].permute(0, 3, 1, 2)
        distinct, back = np.unique(images, return_inverse=True)
        pixels = torch.empty((len(distinct), *self._shape), dtype=torch.uint8)
        self._load(distinct, pixels.numpy())
        if len(distinct) < len(images) or (np.diff(back) < 0).any():
            pixels = pixels[torch.tensor(back)]
        return pixels.permute(0, 3, 1, 2)

    def normalise(self, pixels: Tensor) -> Tensor:
        """Turn uint8 pixels into the float32 input of the model, on the device they are on."""
        return normalise(pixels, self._mean, self._std)

    def close(self) -> None:
        """Stop the decoding threads and processes, once the last pixels are stored."""
        self._decoders.close()
        for pool in (self._readers, self._writer):
            pool.shutdown(wait=True)
        if self._rows is not None:
            self._rows.close()

    def _everything(self) -> Tensor:
        count = len(self._set.image_ids)
        pixels = torch.empty((count, *self._shape), dtype=torch.uint8)
        advance = reporting("loading images")
        for start in range(0, count, CHUNK):
            some = np.arange(start, min(start + CHUNK, count))
            self._load(some, pixels[start : start + CHUNK].numpy())
            advance(int(some[-1]) + 1, count)
        return pixels

    def _load(self, images: np.ndarray, out: np.ndarray) -> None:
        """Put the pixels of distinct images into `out`, uint8 of shape (N, height, width, 3)."""
        known = self._stored(images, out) if len(images) else np.empty(0, bool)
        if known.all():
            return
        if not known.any():
            self._decode(images, out)
            return
        pixels = np.empty((int((~known).sum()), *self._shape), np.uint8)
        self._decode(images[~known], pixels)
        out[~known] = pixels

    def _stored(self, images: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Read what is stored, and return which of the images are."""
        rows = self._rows
        if rows is None:
            return np.zeros(len(images), bool)
        if self._written is not None and np.isin(images, self._written[0]).any():
            self._written[1].result()
        size = -(-len(images) // _READERS)
        spans = [slice(at, at + size) for at in range(0, len(images), size)]
        return np.concatenate(
            [*self._readers.map(lambda span: rows.read(images[span], out[span]), spans)]
        )

    def _decode(self, images: np.ndarray, out: np.ndarray) -> None:
        ids = [self._set.image_ids[i] for i in images]
        encoded = self._set.images(ids)
        missing = [i for i in ids if i not in encoded]
        if missing:
            raise TrainingSetError(
                f"{len(missing)} of {len(ids)} images are not in the image store; the "
                f"first is {missing[0]!r}. Materialize the image shards of the pairs, or "
                "materialize the pairs again from the shards that exist."
            )
        try:
            faults = self._decoders.decode([encoded[i] for i in ids], out)
        except (WorkerEndedError, TimeoutError) as error:
            fate = str(error) or "takes too long"
            raise TrainingSetError(
                f"A process that decodes images of the training set ended ({fate}). Either one of "
                f"{len(ids)} images from {ids[0]!r} on ends it, or the machine has too little "
                "memory."
            ) from error
        if faults:
            first = min(faults)
            raise TrainingSetError(
                f"Image {ids[first]!r} of the training set cannot be decoded ({faults[first]}). "
                "Ingest its shard again: images that do not decode become rejects there."
            )
        if self._rows is not None:
            self._store(self._rows, images, out)

    def _store(self, rows: PixelRows, images: np.ndarray, pixels: np.ndarray) -> None:
        """Store pixels while the next ones are decoded, one batch at a time."""
        if self._written is not None:
            self._written[1].result()
        self._written = images, self._writer.submit(rows.add, images, pixels)


def split_preprocess(preprocess: Any) -> tuple[Callable[[Any], Any], Tensor, Tensor]:
    """Split open_clip's evaluation transform into its geometric part, mean and std.

    Returns:
        A function from an RGB image of Pillow to one of the model's size, a `Geometry` if it is
        one, and mean and std of shape (3, 1, 1).

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
    return Geometry.of(steps[:-2]) or Compose(steps[:-2]), mean, std


def normalise(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Apply ToTensor and Normalize to uint8 pixels of shape (N, 3, height, width)."""
    scaled = pixels.to(torch.float32).div(255)
    return (scaled - mean.to(pixels.device)) / std.to(pixels.device)


def _shape(fit: Callable[[Any], Any]) -> tuple[int, int, int]:
    from PIL import Image

    width, height = fit(Image.new("RGB", (64, 64))).size
    return height, width, 3


def _pixel_identity(fit: Callable[[Any], Any]) -> str:
    """Return what the pixels of an image depend on: the geometry and the decoders' versions."""
    import PIL
    from PIL import features

    decoders = [features.version(name) for name in ("libjpeg_turbo", "webp", "zlib")]
    return f"{fit!r} Pillow {PIL.__version__} {decoders}"
