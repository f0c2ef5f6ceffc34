"""Reading of a finished R1 checkpoint's records, without loading weights or torch.

The folder holds the policy as transformers loads it (safetensors, processor), `recipe.json`,
`log.jsonl`, `rollouts.jsonl` and, written last, `provenance.json`. The checkpoint of a recipe
without training has no weights: its policy is the model that the recipe names.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, ValidationError

from rolesynth_assets.clip.checkpoint.files import (
    CheckpointError,
    read_finished,
)
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.r1.recipe import R1Recipe, Training
from rolesynth_assets.r1.training.policy import model_source, source_digest
from rolesynth_assets.store.digests import digest, file_digest

RECIPE = "recipe.json"
LOG = "log.jsonl"
ROLLOUTS = "rollouts.jsonl"
PROVENANCE = "provenance.json"


class _Record(BaseModel):
    # a reward that is NaN or infinite must be kept when written, because a check looks for it
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class StepLog(_Record):
    """One optimiser step, with means over its rollouts.

    Attributes:
        step: number of the step, from 1.
        reward: 0.9 accuracy + 0.1 format.
        accuracy: share of rollouts with the right boxed answer.
        format: share of rollouts with the requested form.
        kl: divergence from the untrained model in nats per token; None if the recipe's beta is 0.
        length: tokens of a reply.
        clipped: share of replies that hit the token limit.
        entropy: entropy in nats per token.
        loss: loss of the step.
        gradient_norm: gradient norm before clipping.
    """

    step: int
    reward: float
    accuracy: float
    format: float
    kl: float | None
    length: float
    clipped: float
    entropy: float | None
    loss: float
    gradient_norm: float | None


_Base64 = Annotated[
    bytes,
    PlainSerializer(lambda data: base64.b64encode(data).decode("ascii")),
    PlainValidator(lambda d: d if isinstance(d, bytes) else base64.b64decode(d, validate=True)),
]


class Rollout(_Record):
    """One training question, answered greedily before and after the training.

    Attributes:
        item_id: id of the problem or seed.
        question: the question as the policy read it.
        image: the encoded image.
        solution: the reference.
        task_type: `TaskType` value.
        before: reply of the untrained policy.
        after: reply of the trained one.
        reward_before: total reward of `before`, 0 to 1.
        reward_after: total reward of `after`.
    """

    item_id: str
    question: str
    image: _Base64
    solution: str
    task_type: str
    before: str
    after: str
    reward_before: float
    reward_after: float


class Provenance(_Record):
    """The provenance of a checkpoint.

    Attributes:
        recipe: name of the recipe.
        recipe_digest: `R1Recipe.digest`.
        seed: the training seed.
        training: kind of the training data.
        model: the model that the training started from, as the recipe names it.
        model_digest: identity of that model's weights.
        data_digest: `TrainingData.digest`.
        items: number of training questions.
        domains: number of questions by domain.
        dropped: number of rows that were not used for training, by reason.
        steps: number of optimiser steps.
        device: kind of the training device.
        weights_digest: sha256 of the weights; for an untrained model, `model_digest`.
        stand_in: whether the model is a stand-in for a real one.
        versions: versions of the libraries that decide the weights.
    """

    recipe: str
    recipe_digest: str
    seed: int
    training: Training
    model: str
    model_digest: str
    data_digest: str
    items: int
    domains: dict[str, int]
    dropped: dict[str, int]
    steps: int
    device: str
    weights_digest: str
    stand_in: bool
    versions: dict[str, str]


def read_provenance(folder: DataPath) -> Provenance:
    """Read the provenance of a finished checkpoint.

    Raises:
        CheckpointError: the provenance is missing, so the training has not finished, or is damaged.
    """
    return read_finished(Provenance, folder, PROVENANCE, "r1_checkpoints")


def read_recipe(folder: Path) -> R1Recipe:
    """Read the recipe of a finished checkpoint.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    try:
        return R1Recipe.model_validate_json((folder / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise CheckpointError(f"{folder / RECIPE} cannot be read: {error}. Train again.") from error


def read_rollouts(folder: Path) -> list[Rollout]:
    """Read ``rollouts.jsonl``; an untrained model has no rows.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    path = folder / ROLLOUTS
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: no training has finished there.")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Rollout.model_validate_json(line) for line in lines]
    except ValidationError as error:
        raise CheckpointError(f"{path} is damaged: {error}. Train again.") from error


def policy_source(folder: Path) -> str:
    """Return the source of a finished checkpoint's policy: the folder, or its base model.

    Raises:
        CheckpointError: the checkpoint is unfinished, or its weights are not those that its
            provenance describes.
    """
    provenance, recipe = read_provenance(folder), read_recipe(folder)
    if provenance.training is not Training.NONE:
        found = weights_digest(folder) if list_weights(folder) else "no file"
    else:
        found = source_digest(recipe.model, recipe.revision)
    if found != provenance.weights_digest:
        raise CheckpointError(
            f"{folder}: the policy's weights are not what {PROVENANCE} describes (sha256 "
            f"{found[:12]}, expected {provenance.weights_digest[:12]}). Train again."
        )
    return model_source(recipe.model) if provenance.training is Training.NONE else str(folder)


def list_weights(folder: Path) -> list[Path]:
    """Return the weight files of a policy: one, or the shards of a large model."""
    return sorted(folder.glob("model*.safetensors"))


def weights_digest(folder: Path) -> str:
    """Return the sha256 of a policy's weights; for several files, that of their ordered digests."""
    digests = [file_digest(path) for path in list_weights(folder)]
    return digests[0] if len(digests) == 1 else digest("weights", *digests)


def write_lines(path: Path, rows: list[StepLog] | list[Rollout]) -> None:
    """Write one row per line, atomically."""
    text = "".join(row.model_dump_json() + "\n" for row in rows)
    write_text(path, text)
