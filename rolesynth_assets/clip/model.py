"""The model of a recipe: open_clip's architecture with weights and, if asked, a longer context."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import nn

from rolesynth_assets.clip.architectures import FOLDER, shipped_architecture
from rolesynth_assets.clip.plain_text import of_plain_text
from rolesynth_assets.clip.positions import (
    KEPT_POSITIONS,
    STRETCH,
    stretch,
    stretched_length,
    text_tower,
)
from rolesynth_assets.clip.recipe import Recipe, init_path
from rolesynth_assets.clip.weights_file import Weights, WeightsFileError, misfit, read_weights


class ModelError(ValueError):
    """A recipe's model cannot be built; the message names the field and what is wrong with it."""


@dataclass(frozen=True)
class ClipModel:
    """A model with everything that is needed to save it in open_clip's own format.

    Attributes:
        module: the open_clip model, float32, on the CPU.
        preprocess: open_clip's evaluation transform, from PIL image to (3, height, width) float32.
        tokenizer: from a list of texts to (texts, context) int64 tokens.
        config: content of ``open_clip_config.json``: ``model_cfg`` and ``preprocess_cfg``.
    """

    module: Any
    preprocess: Any
    tokenizer: Any
    config: dict[str, Any]


def build_model(recipe: Recipe) -> ClipModel:
    """Build the model that a recipe starts from.

    The weights are loaded into a model of the context length that they were trained with. If the
    recipe asks for a longer context, the text positions are stretched afterwards (77 -> 248), also
    for random weights.

    Args:
        recipe: its ``model``, ``init``, ``context_length`` and ``frozen_positions`` are used.
            Random weights follow torch's global random state.

    Raises:
        ModelError: the architecture, the pretrained tag or the file does not exist, the file cannot
            be read or is of another architecture, or the loaded positions cannot be brought to the
            context length.
    """
    architecture = _architecture(recipe.model)
    tag, weights = _weights(recipe)
    quick_gelu = bool(architecture.get("quick_gelu", False))
    if tag is not None:
        # open_clip only warns if a tag was trained with QuickGELU and the model is built without
        quick_gelu = bool((open_clip.get_pretrained_cfg(recipe.model, tag) or {}).get("quick_gelu"))
    elif weights is not None and weights.quick_gelu is not None:
        quick_gelu = weights.quick_gelu
    if quick_gelu or architecture.get("quick_gelu"):
        architecture["quick_gelu"] = quick_gelu
    with _random_on_purpose() if tag is None else nullcontext():
        module = open_clip.create_model(
            _registered(recipe.model),
            pretrained=tag,
            force_context_length=weights.length if weights else None,
            force_quick_gelu=quick_gelu,
        )
    if weights is not None:
        _load(module, weights, recipe)
    _set_context_length(module, recipe)
    architecture["text_cfg"]["context_length"] = recipe.context_length
    config = {
        "model_cfg": architecture,
        "preprocess_cfg": open_clip.get_model_preprocess_cfg(module),
    }
    transform = image_transform_v2(PreprocessCfg(**config["preprocess_cfg"]), is_train=False)
    tokenizer = of_plain_text(
        open_clip.get_tokenizer(recipe.model, context_length=recipe.context_length)
    )
    return ClipModel(module, transform, tokenizer, config)


def freeze_positions(module: Any, count: int) -> None:
    """Freeze the first ``count`` text positions by setting their gradient to zero.

    Positions have no weight decay, and the step of AdamW is zero for a gradient that has always
    been zero, so they keep their values exactly.
    """
    if count == 0:
        return

    def without_prefix(gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.clone()
        gradient[:count] = 0
        return gradient

    text_tower(module).positional_embedding.register_hook(without_prefix)


@contextmanager
def _random_on_purpose() -> Iterator[None]:
    """Suppress open_clip's warning about random weights, which `init: random` asks for."""

    def of_something_else(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("No pretrained weights loaded for model")

    root = logging.getLogger()  # open_clip warns through the root logger
    root.addFilter(of_something_else)
    try:
        yield
    finally:
        root.removeFilter(of_something_else)


def _architecture(name: str) -> dict[str, Any]:
    config = shipped_architecture(name) or open_clip.get_model_config(name)
    if config is None:
        raise ModelError(
            f"model: {name!r} is neither shipped in clip/models nor an architecture of open_clip "
            f"{open_clip.__version__}; `open_clip.list_models()` lists the latter."
        )
    return deepcopy(config)


def _registered(name: str) -> str:
    """Register an architecture with open_clip if this package ships it; return its name."""
    if shipped_architecture(name) is not None and name not in open_clip.list_models():
        open_clip.add_model_config(FOLDER / f"{name}.json")
    return name


def _weights(recipe: Recipe) -> tuple[str | None, Weights | None]:
    """Return the tag that open_clip loads, or the weights of the recipe's file."""
    if recipe.init == "random":
        return None, None
    tags = open_clip.list_pretrained_tags_by_model(recipe.model)
    if recipe.init in tags:
        return recipe.init, None
    path = init_path(recipe)
    if path is None or not path.exists():
        raise ModelError(
            f"init: {recipe.init!r} is neither 'random', nor a file, nor weights in clip/models, "
            f"nor a pretrained tag of {recipe.model!r} ({', '.join(tags) or 'it has none'})."
        )
    try:
        return None, read_weights(path)
    except WeightsFileError as error:
        raise ModelError(f"init: {error}.") from error


def _load(module: Any, weights: Weights, recipe: Recipe) -> None:
    """Copy the weights of a file into a model of the context length that they have."""
    state, wanted = weights.state, module.state_dict()
    if "text.positional_embedding" in wanted and "positional_embedding" in state:
        state = convert_to_custom_text_state_dict(dict(state))
    if "logit_bias" in wanted:
        state.setdefault("logit_bias", wanted["logit_bias"])
    if "logit_scale" in state and "logit_scale" in wanted:
        state["logit_scale"] = state["logit_scale"].reshape(wanted["logit_scale"].shape)
    fault = misfit(state, wanted)
    if fault:
        raise ModelError(
            f"init: the weights in {recipe.init} are those of another architecture than model "
            f"{recipe.model!r}: {fault}. Set `model` to the architecture of the file."
        )
    module.load_state_dict(state)


def _set_context_length(module: Any, recipe: Recipe) -> None:
    tower = text_tower(module)
    positions = getattr(tower, "positional_embedding", None)
    if not isinstance(positions, nn.Parameter) or getattr(tower, "cls_emb", None) is not None:
        raise ModelError(
            f"model: the text tower of {recipe.model!r} has no plain learned positions to "
            "freeze or stretch; choose an architecture with CLIP's text tower."
        )
    length = len(positions)
    if recipe.frozen_positions > length:
        raise ModelError(
            f"frozen_positions: {recipe.frozen_positions} of {length} positions cannot be frozen."
        )
    if recipe.context_length == length:
        return
    if recipe.context_length != stretched_length(length):
        raise ModelError(
            f"context_length: the text positions of {recipe.model!r} with init {recipe.init!r} "
            f"have length {length}, which stays {length} or is stretched to "
            f"{stretched_length(length)} ({KEPT_POSITIONS} kept, the others x {STRETCH}); "
            f"{recipe.context_length} is neither."
        )
    with torch.no_grad():
        tower.positional_embedding = nn.Parameter(stretch(positions.detach()))
    tower.context_length = recipe.context_length
    if hasattr(tower, "num_pos"):
        tower.num_pos = recipe.context_length
    if tower.attn_mask is not None:
        tower.attn_mask = _causal_mask(recipe.context_length)


def _causal_mask(length: int) -> torch.Tensor:
    """Return open_clip's additive mask of shape (length, length): -inf above the diagonal."""
    return torch.full((length, length), -math.inf).triu_(1)
