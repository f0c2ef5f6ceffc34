"""The files of a checkpoint and its manifest and losses; reads no weights, needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import file_of
from rolesynth_assets.recipe_files.training_recipes import TrainingRecipe

WEIGHTS = "model.safetensors"
CONFIG = "open_clip_config.json"
RECIPE = "recipe.yaml"
MANIFEST = "manifest.json"
LOSSES = "loss.csv"
REFERENCE = "reference.safetensors"
STATE = "state.pt"


class CheckpointError(ValueError):
    """A checkpoint folder is unfinished, altered, or not a checkpoint at all."""


class Manifest(BaseModel):
    """The provenance of a checkpoint.

    Attributes:
        recipe: name of the recipe.
        recipe_digest: `Recipe.digest`.
        seed: the training seed.
        training_set_digest: `TrainingSet.digest`.
        init_digest: sha256 of the weights file that training started from; empty if it started
            from random weights or a pretrained tag.
        pairs: number of (image, caption) rows of the training set.
        images: number of distinct images of the training set.
        steps: number of optimiser steps.
        device: kind of device that it was trained on.
        precision: number format of the forward pass.
        processes: number of processes that trained it together.
        weights_digest: sha256 of ``model.safetensors``.
        versions: versions of the libraries on which the weights depend.
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
    processes: int = 1
    weights_digest: str
    versions: dict[str, str]


class LossPoint(BaseModel):
    """One row of ``loss.csv``; ``loss`` is in nats, ``logit_scale`` is 1 / temperature."""

    model_config = ConfigDict(frozen=True)

    step: int
    epoch: int
    loss: float
    learning_rate: float
    logit_scale: float


Record = TypeVar("Record", bound=BaseModel)


def read_manifest(folder: DataPath) -> Manifest:
    """Read the manifest of a finished checkpoint.

    Raises:
        CheckpointError: the manifest is missing, so the training has not finished, or is damaged.
    """
    return read_finished(Manifest, folder, MANIFEST, "clip_checkpoints")


def read_finished(kind: type[Record], folder: DataPath, name: str, asset: str) -> Record:
    """Read the record that a training writes last.

    Args:
        kind: model of the record.
        folder: the checkpoint.
        name: name of the file.
        asset: name of the asset that writes it, for the message.

    Raises:
        CheckpointError: the file is missing, so the training has not finished, or is damaged.
    """
    path = file_of(folder, name)
    if path is None:
        raise CheckpointError(
            f"{folder} holds no {name}: no training has finished there. Materialize "
            f"{asset} for this recipe and seed; it resumes from the last saved step."
        )
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise CheckpointError(f"{path} is damaged: {error}. Train again.") from error


def trained_seeds(
    recipe: TrainingRecipe,
    folder: Callable[[str, int], DataPath],
    record: str = MANIFEST,
    asset: str = "clip_checkpoints",
) -> list[int]:
    """Return the seeds of a recipe that have a finished checkpoint.

    Args:
        recipe: the recipe.
        folder: where the checkpoint of a recipe name and seed lies.
        record: name of the file that a training writes last.
        asset: what makes the checkpoints, for the message.

    Raises:
        CheckpointError: there is none.
    """
    seeds = [s for s in recipe.seeds if file_of(folder(recipe.name, s), record)]
    if not seeds:
        raise CheckpointError(
            f"Recipe {recipe.name!r} has no finished checkpoint: materialize {asset} for "
            f"one of its seeds {list(recipe.seeds)} first."
        )
    return seeds
