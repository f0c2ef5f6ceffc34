"""Gradient caching: encoding a batch in parts, with the gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rolesynth_assets.clip.model import ModelError


def require_independent_rows(module: nn.Module, name: str) -> None:
    """Refuse a model in which the features of a row depend on the other rows of its batch.

    Args:
        module: the model.
        name: its name in the recipe.

    Raises:
        ModelError: it has batch normalisation.
    """
    if any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules()):
        raise ModelError(
            f"schedule.micro_batch: {name!r} normalises over its batch, so a batch in parts trains "
            "another model. Leave micro_batch out and lower batch_images, or choose a ViT."
        )


def encode_in_parts(
    encode: Callable[[Tensor], Tensor], rows: Tensor, micro_batch: int | None
) -> Tensor:
    """Return ``encode(rows)``, keeping the activations of one part of the rows at a time.

    A contrastive loss compares all rows of a batch, so its gradients cannot be summed over smaller
    batches. Only the features are kept here; the backward pass encodes each part again, one after
    the other (gradient caching, Gao et al. 2021, arXiv 2101.06983). Features and gradients equal
    those of the whole batch up to rounding, at the cost of one more forward pass.

    Args:
        encode: function from rows to their features; the features of a row must not depend on
            other rows.
        rows: (N, ...) input.
        micro_batch: most rows in a part; None encodes all rows at once.

    Returns:
        (N, D) features.
    """
    if micro_batch is None or len(rows) <= micro_batch:
        return encode(rows)
    parts = rows.split(micro_batch)
    return torch.cat([checkpoint(encode, part, use_reentrant=False) for part in parts])
