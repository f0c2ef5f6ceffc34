"""Sums and gathers over the processes of a training, through which gradients flow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function

BUCKET_BYTES = 64 * 1024**2
"""Gradients that are summed at a time; a larger bucket only takes more memory."""


def gather_rows(own: Tensor, counts: Sequence[int]) -> Tensor:
    """Return the rows of all processes, in their order; each may have another number of rows.

    The gradient of a row is the sum of the gradients that all processes have for it.

    Args:
        own: (n, D) rows of this process.
        counts: number of rows of each process.

    Returns:
        (sum of counts, D) rows.
    """
    gathered: Tensor = _GatheredRows.apply(own, tuple(counts))  # type: ignore[assignment]
    return gathered


def sum_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace the gradient of each parameter by its sum over all processes, the same in each."""
    bucket: list[Tensor] = []
    size = 0
    for parameter in parameters:
        if (gradient := parameter.grad) is None:
            continue
        if bucket and (size > BUCKET_BYTES or gradient.dtype != bucket[0].dtype):
            _sum_together(bucket)
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel() * gradient.element_size()
    if bucket:
        _sum_together(bucket)


def _sum_together(tensors: Sequence[Tensor]) -> None:
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view(tensor.shape))


class _GatheredRows(Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, counts: tuple[int, ...]) -> Tensor:
        ctx.counts, most = counts, max(counts)
        padded = own.new_zeros(most, own.shape[1])
        padded[: len(own)] = own
        gathered = own.new_empty(len(counts) * most, own.shape[1])
        dist.all_gather_single(gathered, padded)
        parts = gathered.split(most)
        return torch.cat([rows[:count] for rows, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        gradient = gradient.contiguous().clone()
        dist.all_reduce(gradient)
        return gradient.split(ctx.counts)[dist.get_rank()], None
