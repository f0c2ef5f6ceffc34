"""Finished checkpoints, which both this package and plain open_clip can load.

A checkpoint is a folder in the format of open_clip's ``local-dir:`` models (`open_clip_config.json`
beside `model.safetensors`), with the recipe, the manifest, the loss curve and reference logits
added.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
import torch.nn.functional as F
from open_clip.transform import PreprocessCfg, image_transform_v2
from safetensors.torch import load_file, save
from torch import Tensor

from rolesynth_assets.clip.checkpoint.files import (
    CONFIG,
    LOSSES,
    MANIFEST,
    RECIPE,
    REFERENCE,
    WEIGHTS,
    CheckpointError,
    LossPoint,
    Manifest,
    read_manifest,
)
from rolesynth_assets.clip.data.pixels import normalise, split_preprocess
from rolesynth_assets.clip.features.trimmed_text import encode_text
from rolesynth_assets.clip.library import dump_recipe
from rolesynth_assets.clip.model import ClipModel
from rolesynth_assets.clip.plain_text import of_plain_text
from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.files.atomic_files import write_bytes, write_text
from rolesynth_assets.store.digests import file_digest


class Checkpoint(NamedTuple):
    """A loaded checkpoint.

    Attributes:
        model: open_clip model in evaluation mode, float32.
        preprocess: from PIL image to (3, height, width) float32.
        tokenizer: from a list of texts to (texts, context) int64 tokens.
    """

    model: Any
    preprocess: Any
    tokenizer: Any


def save_weights(folder: Path, module: Any) -> str:
    """Write ``model.safetensors`` atomically and return its sha256."""
    state = {k: v.detach().cpu().contiguous().clone() for k, v in module.state_dict().items()}
    write_bytes(folder / WEIGHTS, save(state))
    return file_digest(folder / WEIGHTS)


def save_rest(folder: Path, model: ClipModel, recipe: Recipe, losses: list[LossPoint]) -> None:
    """Write configuration, recipe and loss curve beside the weights."""
    write_text(folder / CONFIG, json.dumps(model.config, indent=2))
    write_text(folder / RECIPE, dump_recipe(recipe))
    table = io.StringIO()
    writer = csv.DictWriter(table, list(LossPoint.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(point.model_dump() for point in losses)
    write_text(folder / LOSSES, table.getvalue())


def save_reference(folder: Path, model: ClipModel, pixels: Tensor, tokens: Tensor) -> None:
    """Write some inputs with the model's logits for them, which `reference_error` recomputes.

    Args:
        folder: the checkpoint.
        model: in evaluation mode, float32, on the CPU.
        pixels: uint8 of shape (N, 3, height, width), not normalised.
        tokens: int64 of shape (M, context).
    """
    _, mean, std = split_preprocess(model.preprocess)
    pixels = pixels.contiguous()  # the layout in which they are read again
    logits = _logits(model.module, normalise(pixels, mean, std), tokens)
    tensors = {"pixels": pixels, "tokens": tokens, "logits": logits}
    write_bytes(folder / REFERENCE, save({k: v.contiguous() for k, v in tensors.items()}))


def save_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest, last of all: a folder with one is a finished checkpoint."""
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2))


def load_checkpoint(folder: Path) -> Checkpoint:
    """Load a finished checkpoint; the result unpacks into model, preprocess and tokenizer.

    For features use `rolesynth_assets.clip.features.trimmed_text.encode_text`, which skips padding,
    or the model's own methods.

    Raises:
        CheckpointError: the folder holds no finished checkpoint, or its weights are not those that
            the manifest names.
    """
    manifest = read_manifest(folder)
    found = file_digest(folder / WEIGHTS) if (folder / WEIGHTS).is_file() else "no file"
    if found != manifest.weights_digest:
        raise CheckpointError(
            f"{folder / WEIGHTS} is not the file that {MANIFEST} describes (sha256 {found[:12]}, "
            f"expected {manifest.weights_digest[:12]}). Train again."
        )
    source = f"local-dir:{folder}"
    model = open_clip.create_model(source)
    preprocess_cfg = PreprocessCfg(**open_clip.get_model_preprocess_cfg(model))
    transform = image_transform_v2(preprocess_cfg, is_train=False)
    return Checkpoint(model.eval(), transform, of_plain_text(open_clip.get_tokenizer(source)))


def reference_error(folder: Path) -> float:
    """Load a checkpoint and return the largest deviation of its logits from the stored ones.

    Raises:
        CheckpointError: the checkpoint cannot be loaded (see `load_checkpoint`), or it has no
            reference logits.
    """
    loaded = load_checkpoint(folder)
    if not (folder / REFERENCE).is_file():
        raise CheckpointError(f"{folder} holds no {REFERENCE} to compare with. Train again.")
    reference = load_file(folder / REFERENCE)
    _, mean, std = split_preprocess(loaded.preprocess)
    images = normalise(reference["pixels"], mean, std)
    logits = _logits(loaded.model, images, reference["tokens"])
    return float((logits - reference["logits"]).abs().max())


@torch.no_grad()
def _logits(module: Any, images: Tensor, tokens: Tensor) -> Tensor:
    image_features = F.normalize(module.encode_image(images), dim=-1)
    text_features = F.normalize(encode_text(module, tokens), dim=-1)
    return module.logit_scale.exp() * image_features @ text_features.T
