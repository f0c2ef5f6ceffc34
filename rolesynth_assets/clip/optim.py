"""AdamW with CLIP's choice of decayed parameters, and the learning rate schedule."""

from __future__ import annotations

import math
from typing import Any

import torch

from rolesynth_assets.clip.recipe import Optimizer


def make_optimizer(module: Any, settings: Optimizer) -> torch.optim.AdamW:
    """Return AdamW over the trainable parameters.

    Matrices and kernels decay. Biases, norms, positions and the temperature do not: weight decay
    would change a position although it is frozen.
    """
    spared = set(module.no_weight_decay()) | {"positional_embedding", "text.positional_embedding"}
    decayed, plain = [], []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim >= 2 and name not in spared and "positional" not in name
            (decayed if decays else plain).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=settings.lr,
        betas=(settings.beta1, settings.beta2),
        eps=settings.eps,
        fused=True,
    )


def learning_rate(step: int, total: int, warmup: int, peak: float) -> float:
    """Return the learning rate of optimiser step ``step``, counted from 0.

    It rises linearly, reaches ``peak`` at the last of the ``warmup`` steps, and follows a cosine
    that would reach zero at step ``total``.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))
