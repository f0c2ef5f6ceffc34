"""What a finished checkpoint says about itself; reads and writes no weights, needs no torch."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

WEIGHTS = "model.safetensors"
CONFIG = "open_clip_config.json"
RECIPE = "recipe.yaml"
MANIFEST = "manifest.json"
LOSSES = "loss.csv"
REFERENCE = "reference.safetensors"
STATE = "state.pt"


class CheckpointError(ValueError):
    """A checkpoint folder that is unfinished, altered, or none at all."""


class Manifest(BaseModel):
    """The provenance of a checkpoint.

    Attributes:
        recipe: name of the recipe.
        recipe_digest: `Recipe.digest`.
        seed: the training seed.
        training_set_digest: `TrainingSet.digest`.
        init_digest: sha256 of the weights file training started from; empty for none or a tag.
        pairs: (image, caption) rows of the training set.
        images: distinct images of the training set.
        steps: optimiser steps made.
        device: kind of device trained on.
        precision: number format of the forward pass.
        weights_digest: sha256 of ``model.safetensors``.
        versions: of the libraries that decide the weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    recipe_digest: str
    seed: int
    training_set_digest: str
    init_digest: str
    pairs: int
    images: int
    steps: int
    device: str
    precision: str
    weights_digest: str
    versions: dict[str, str]


class LossPoint(BaseModel):
    """One row of ``loss.csv``; ``loss`` in nats, ``logit_scale`` is 1 / temperature."""

    model_config = ConfigDict(frozen=True)

    step: int
    epoch: int
    loss: float
    learning_rate: float
    logit_scale: float


Record = TypeVar("Record", bound=BaseModel)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a finished checkpoint.

    Raises:
        CheckpointError: there is none, which means the training has not finished, or it is damaged.
    """
    return read_finished(Manifest, folder / MANIFEST, "clip_checkpoints")


def read_finished(kind: type[Record], path: Path, asset: str) -> Record:
    """Read the record that a training writes last.

    Args:
        kind: what the file holds.
        path: of the file.
        asset: what makes it, for the message.

    Raises:
        CheckpointError: there is none, which means the training has not finished, or it is damaged.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path.parent} holds no {path.name}: no training has finished there. Materialize "
            f"{asset} for this recipe and seed; it goes on from the last saved step."
        )
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise CheckpointError(f"{path} is damaged: {error}. Train again.") from error


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, 64 hex characters."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file so that it holds either its old or its whole new content, whatever happens."""
    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
