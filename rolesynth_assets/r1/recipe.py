"""An R1 recipe: the settings that turn problems into a policy, as a value read from YAML."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from rolesynth_assets.r1.rewards import ACCURACY_WEIGHT, FORMAT_WEIGHT
from rolesynth_assets.recipe_files.training_recipes import TrainingRecipe
from rolesynth_assets.store.digests import digest

NANO = "rolesynth-nano"
"""The model name of the package's nano MLLM, a stand-in for Qwen2.5-VL."""


class Training(StrEnum):
    """The training data of a policy."""

    NONE = "none"
    """None: the untrained model, for comparison."""
    SYNTHETIC = "synthetic"
    """Accepted synthetic problems (MMSynthetic)."""
    SEEDS_ONLY = "seeds_only"
    """The seeds from which the problems were made, if they have an answer."""
    SYNTHETIC_WITHOUT_CONTEXT_OPTIMISATION = "synthetic_without_context_optimisation"
    """Accepted synthetic problems of rounds that ran with an empty context throughout."""


class Rollouts(StrEnum):
    """The engine that samples the rollouts."""

    OFF = "off"
    """The policy itself, through transformers; the only choice on a CPU."""
    COLOCATE = "colocate"
    """vLLM in the training process, on the same GPUs."""
    SERVER = "server"
    """A vLLM server of its own, started with ``trl vllm-serve``."""


class R1Recipe(TrainingRecipe):
    """One training run of R1, but for its seed.

    Attributes:
        model: ``rolesynth-nano``, a local folder or a Hugging Face model id.
        revision: revision of a Hugging Face model.
        training: the training data.
        generations: rollouts of one question (G of GRPO).
        batch: questions of one optimiser step, which uses batch x generations rollouts.
        micro_batch: rollouts in one forward pass of one device.
        temperature: sampling temperature of the rollouts.
        learning_rate: constant learning rate of AdamW.
        beta: weight of the KL divergence from the untrained model; 0 does without that model.
        max_completion_tokens: largest number of tokens of a reply.
        steps: number of optimiser steps; give this or ``epochs``.
        epochs: passes over the problems.
        save_every: optimiser steps between two saved states that a killed run goes on from.
        vllm: what draws the rollouts.
        vllm_url: base URL of the server, for ``vllm: server``.
        vllm_memory: share of a GPU's memory for colocated vLLM.
        lora_rank: train adapters of this rank instead of all weights; they are merged at the end.
        precision: of the forward pass; weights are float32.
        gradient_checkpointing: trade time for memory.
    """

    model: Annotated[str, Field(min_length=1)]
    revision: str | None = None
    training: Training
    generations: Annotated[int, Field(ge=2)] = 8
    batch: PositiveInt = 128
    micro_batch: PositiveInt = 8
    temperature: PositiveFloat = 1.0
    learning_rate: PositiveFloat = 1e-6
    beta: Annotated[float, Field(ge=0)] = 0.01
    max_completion_tokens: PositiveInt = 2048
    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    save_every: PositiveInt = 10
    vllm: Rollouts = Rollouts.OFF
    vllm_url: str | None = None
    vllm_memory: Annotated[float, Field(gt=0, lt=1)] = 0.3
    lora_rank: PositiveInt | None = None
    precision: Literal["bf16", "float32"] = "bf16"
    gradient_checkpointing: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        lengths = (self.steps is not None) + (self.epochs is not None)
        if lengths != (self.training is not Training.NONE):
            raise ValueError("give exactly one of steps and epochs, and none for training: none")
        if self.batch * self.generations % self.micro_batch:
            raise ValueError(
                f"batch x generations = {self.batch * self.generations} rollouts do not divide "
                f"into micro-batches of {self.micro_batch}"
            )
        if (self.vllm is Rollouts.SERVER) != (self.vllm_url is not None):
            raise ValueError("vllm: server and vllm_url belong together")
        return self

    @property
    def rollouts(self) -> int:
        """Number of rollouts in one optimiser step."""
        return self.batch * self.generations

    @property
    def stand_in(self) -> bool:
        """Whether the policy is the package's stand-in for a real model."""
        return self.model == NANO

    @property
    def digest(self) -> str:
        """64 hex characters that change when the training may change.

        The name, the description, the list of seeds, the baseline, the interval of saved states and
        vLLM's share of memory are not part of it; the weights of the rewards are.
        """
        labels = {"name", "description", "seeds", "baseline", "save_every", "vllm_memory"}
        values = json.dumps(self.model_dump(mode="json", exclude=labels), sort_keys=True)
        return digest("r1 recipe", values, repr(ACCURACY_WEIGHT), repr(FORMAT_WEIGHT))
