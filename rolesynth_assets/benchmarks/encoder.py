"""The encoder that a benchmark measures, and its implementation by a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from rolesynth_assets.benchmarks.tasks import BenchmarkError
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import local_folder
from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import limits_of_any_side
from rolesynth_assets.pictures.opened import open_picture

if TYPE_CHECKING:
    from PIL import Image


class UndecodableImage(BenchmarkError):
    """The image at `index` of a batch cannot be decoded."""

    def __init__(self, index: int, reject: Reject) -> None:
        super().__init__(
            f"cannot be decoded ({reject.reason}: {reject.detail}); repair the file, since "
            "leaving it out would change the benchmark"
        )
        self.index = index


class Encoder(Protocol):
    """Embeds images and texts into one space."""

    def encode_images(self, images: list[bytes]) -> np.ndarray:
        """Embed encoded images: (images, d) float32, L2-normalised rows."""
        ...

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Embed texts: (texts, d) float32, L2-normalised rows."""
        ...


class ClipEncoder:
    """An open_clip model, its preprocessing and its tokenizer as an `Encoder`."""

    def __init__(
        self,
        model: Any,
        preprocess: Callable[[Image.Image], Any],
        tokenizer: Callable[[list[str]], Any],
    ) -> None:
        self.model = model.eval()
        self.preprocess = preprocess
        self.tokenizer = tokenizer
        self.device = next(model.parameters()).device

    def encode_images(self, images: list[bytes]) -> np.ndarray:
        """Embed encoded images: (images, d) float32, L2-normalised rows.

        Raises:
            UndecodableImage: an image cannot be decoded; leaving it out would change the benchmark.
        """
        import torch

        pixels = torch.stack([self.preprocess(_decode(i, image)) for i, image in enumerate(images)])
        with torch.inference_mode():
            features = self.model.encode_image(pixels.to(self.device)).float()
            return torch.nn.functional.normalize(features, dim=-1).cpu().numpy()

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Embed texts: (texts, d) float32, L2-normalised rows."""
        import torch

        from rolesynth_assets.clip.features.trimmed_text import encode_text

        with torch.inference_mode():
            features = encode_text(self.model, self.tokenizer(texts).to(self.device)).float()
            return torch.nn.functional.normalize(features, dim=-1).cpu().numpy()


def count_cut_texts(checkpoint_dir: DataPath, texts: Sequence[str]) -> int:
    """Return how many texts are longer than the context of a checkpoint, whose end it never reads.

    Args:
        checkpoint_dir: the checkpoint, of which only the tokenizer is loaded.
        texts: captions, or class names in their templates.
    """
    import open_clip

    from rolesynth_assets.clip.data.tokens import count_cut
    from rolesynth_assets.clip.plain_text import of_plain_text

    tokenizer = of_plain_text(open_clip.get_tokenizer(f"local-dir:{local_folder(checkpoint_dir)}"))
    distinct = sorted(set(texts))
    return count_cut(tokenizer, distinct, tokenizer(distinct)) if distinct else 0


def load_encoder(checkpoint_dir: Path) -> ClipEncoder:
    """Load a trained checkpoint as an encoder, onto the GPU if there is one.

    Raises:
        CheckpointError: the folder holds no finished checkpoint, or its weights are not those that
            the manifest names.
    """
    import torch

    from rolesynth_assets.clip.checkpoint.save_load import load_checkpoint

    model, preprocess, tokenizer = load_checkpoint(checkpoint_dir)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return ClipEncoder(model.to(device), preprocess, tokenizer)


def _decode(index: int, encoded: bytes) -> Image.Image:
    normal = normalise(encoded, limits_of_any_side())
    if isinstance(normal, Reject):
        raise UndecodableImage(index, normal)
    with open_picture(normal.data) as image:
        return image.convert("RGB")
