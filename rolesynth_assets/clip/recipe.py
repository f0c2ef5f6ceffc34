"""The recipe of one CLIP model: all choices from filtered pairs to weights, read from YAML."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from rolesynth_assets.clip.architectures import (
    shipped_architecture,
    shipped_weights,
    shipped_weights_digest,
)
from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets.recipe_files.training_recipes import TrainingRecipe
from rolesynth_assets.store.digests import digest
from rolesynth_assets.yaml_files import FrozenModel


class Cut(StrEnum):
    """The selection of a role set's captions for training."""

    SCORES = "scores"  # the captions that the role-aware filter kept
    RANDOM = "random"  # as many per length kind, drawn at random from the scored captions
    ALL = "all"  # every caption, filtered or not


class Text(StrEnum):
    """Which part of a selected caption is trained on."""

    WHOLE = "whole"
    FIRST_SENTENCE = "first_sentence"
    RANDOM_SENTENCE = "random_sentence"  # drawn by ``draw_seed`` and the caption's id


class Loss(StrEnum):
    """The contrastive objective; see `rolesynth_assets.clip.loss`."""

    MULTI_POSITIVE = "multi_positive"
    INFONCE = "infonce"


class BatchLayout(StrEnum):
    """How a batch is laid out.

    ``rectangular``: ``batch_images`` distinct images against up to ``captions_per_image`` captions
    of each; every image is encoded once, and an epoch shows every image once.
    ``square``: ``batch_images`` (image, caption) rows, with the image encoded once per row; an
    epoch shows every row once. With c captions per image an epoch has c times the steps and encodes
    c times the images, so compare layouts at equal ``schedule.steps``, not at equal epochs.
    """

    RECTANGULAR = "rectangular"
    SQUARE = "square"


class Precision(StrEnum):
    """The number format of the forward pass; weights and losses are always float32."""

    BF16 = "bf16"  # bfloat16 autocast on a GPU that supports it, float32 elsewhere
    FLOAT32 = "float32"


_LATER: dict[str, Any] = {"without_roles": [], "filter": None, "text": "whole"}
"""Fields that recipes did not always have, with their defaults, which are in no digest."""
_NOT_IN_DIGEST: Any = dict.fromkeys(("name", "description", "seeds", "baseline"), True) | {
    "schedule": {"micro_batch"}
}


class Optimizer(FrozenModel):
    """AdamW; biases, norms, positions and the temperature carry no weight decay."""

    lr: PositiveFloat
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    eps: PositiveFloat = 1e-8


class Schedule(FrozenModel):
    """How long to train: linear warm-up, then a cosine down to zero.

    Attributes:
        epochs: passes over the training set; give this or ``steps``.
        steps: optimiser steps; 0 leaves the initial weights as they are.
        batch_images: images in a batch; rows in the square layout.
        warmup_steps: optimiser steps from zero to the full learning rate.
        micro_batch: most images, and most captions of full context length, that are encoded at
            once; a GPU keeps the activations of as many such parts as fit. It makes a batch fit on
            a device and changes nothing but rounding; see
            `rolesynth_assets.clip.features.gradient_caching`.
    """

    epochs: PositiveInt | None = None
    steps: Annotated[int, Field(ge=0)] | None = None
    batch_images: Annotated[int, Field(ge=2)]
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    micro_batch: PositiveInt | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("give exactly one of epochs and steps")
        return self


class Recipe(TrainingRecipe):
    """One training run of CLIP, but for its seed.

    Attributes:
        role_set: whose captions are trained on.
        without_roles: roles whose captions are left out, before the cut.
        filter: policy of a cut of its own over the scored captions; None takes the role set's.
        cut: which of them.
        draw_seed: seed of the random cut and of drawn sentences.
        text: which part of a caption.
        lengths: length kinds that are trained on.
        loss: the objective.
        layout: the layout of a batch.
        captions_per_image: most captions of one image in a rectangular batch.
        model: an open_clip architecture, or the name of a file in ``clip/models``.
        init: ``random``, an open_clip pretrained tag, the name of weights in ``clip/models``, or
            the path of a weights file or of a folder with one, in the layout of open_clip,
            Long-CLIP or transformers.
        context_length: text tokens; 248 stretches a model of 77.
        frozen_positions: number of leading text positions that keep their loaded values.
        optimizer: settings of AdamW.
        schedule: length, batch and warm-up.
        precision: number format of the forward pass.
    """

    role_set: str
    without_roles: tuple[str, ...] = ()
    filter: FilterPolicy | None = None
    cut: Cut = Cut.SCORES
    draw_seed: int = 0
    text: Text = Text.WHOLE
    lengths: Annotated[tuple[Literal["long", "short"], ...], Field(min_length=1)] = (
        "long",
        "short",
    )
    loss: Loss = Loss.MULTI_POSITIVE
    layout: BatchLayout = BatchLayout.RECTANGULAR
    captions_per_image: PositiveInt = 4
    model: str
    init: str = "random"
    context_length: PositiveInt = 248
    frozen_positions: Annotated[int, Field(ge=0)] = 20
    optimizer: Optimizer
    schedule: Schedule
    precision: Precision = Precision.BF16

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.lengths)) != len(self.lengths):
            raise ValueError(f"lengths {list(self.lengths)} are not distinct")
        if len(set(self.without_roles)) != len(self.without_roles):
            raise ValueError(f"without_roles {list(self.without_roles)} are not distinct")
        if self.filter is not None and self.cut is Cut.ALL:
            raise ValueError("cut all takes every caption: leave filter out, or set another cut")
        several = self.layout is BatchLayout.RECTANGULAR and self.captions_per_image > 1
        if self.loss is Loss.INFONCE and several:
            raise ValueError(
                "infonce has one positive per image: "
                "set captions_per_image to 1 or layout to square"
            )
        return self

    @property
    def own_cut(self) -> FilterPolicy | None:
        """The policy of the recipe's own cut; None if it takes what its role set's filter kept.

        Without some of the roles, the cut is made anew over the captions of the others.
        """
        if self.cut is Cut.ALL:
            return None
        return self.filter or (FilterPolicy() if self.without_roles else None)

    @property
    def digest(self) -> str:
        """Digest of 64 hex characters that changes if the selected rows or the training may change.

        It includes the content of a shipped architecture and of shipped weights. It does not
        include the name, the description, the list of seeds, the baseline and the micro-batch.
        """
        fields = self.model_dump(mode="json", exclude=_NOT_IN_DIGEST)
        for name, default in _LATER.items():
            if fields[name] == default:
                del fields[name]
        values = json.dumps(fields, sort_keys=True)
        architecture = json.dumps(shipped_architecture(self.model), sort_keys=True)
        weights = shipped_weights_digest(self.init)
        return digest("recipe", values, architecture, *([weights] if weights else []))


def init_path(recipe: Recipe) -> Path | None:
    """Return the file or folder of weights that a recipe names; None if it names none.

    A pretrained tag is returned too, as a path that does not exist.
    """
    if recipe.init == "random":
        return None
    return shipped_weights(recipe.init) or Path(os.path.expanduser(recipe.init))
