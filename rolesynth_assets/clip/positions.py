"""Learned text positions, stretched to a longer context (the paper's "Long text", 77 -> 248)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

KEPT_POSITIONS = 20  # the well-trained prefix of CLIP's positions that is copied unchanged
STRETCH = 4  # points that replace each stretched position


def text_tower(model: Any) -> Any:
    """Return the module with the text positions: ``model.text`` or the model itself."""
    return getattr(model, "text", model)


def stretched_length(length: int, keep: int = KEPT_POSITIONS, factor: int = STRETCH) -> int:
    """Return the number of positions that `stretch` makes from ``length``; 77 becomes 248."""
    return keep + (length - keep) * factor


def stretch(positions: Tensor, keep: int = KEPT_POSITIONS, factor: int = STRETCH) -> Tensor:
    """Keep a prefix of the positions and stretch the rest by linear interpolation.

    ``PE_new = PE[0:keep] ++ stretch(PE[keep:], factor)``. Every stretched position but the last
    becomes ``factor`` points, at 0, 1/factor, ... of the way towards the next one. The last one
    continues in the direction of the last step: ``PE[-1] + (k / factor) * (PE[-1] - PE[-2])``.

    Args:
        positions: learned positions, shape (length, width).
        keep: number of leading positions copied unchanged.
        factor: number of points for each later position.

    Returns:
        New tensor of shape (keep + (length - keep) * factor, width), same dtype and device.

    Raises:
        ValueError: fewer than two positions are left to stretch, or the tensor is not a matrix.
    """
    if positions.ndim != 2 or positions.shape[0] < keep + 2:
        raise ValueError(
            f"Text positions of shape {tuple(positions.shape)} cannot be stretched: a matrix with "
            f"at least {keep + 2} rows is needed ({keep} kept, two or more to draw a line through)."
        )
    tail = positions[keep:]
    steps = tail[1:] - tail[:-1]
    steps = torch.cat([steps, steps[-1:]])  # the last position repeats the last step
    way = torch.arange(factor, dtype=tail.dtype, device=tail.device) / factor
    points = tail[:, None, :] + way[None, :, None] * steps[:, None, :]
    return torch.cat([positions[:keep], points.flatten(0, 1)])
