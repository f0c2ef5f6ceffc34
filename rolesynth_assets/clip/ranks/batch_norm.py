"""Batch normalisation over the rows of all processes, so that they train as one process would.

``torch.nn.SyncBatchNorm`` does the same on GPUs alone.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function


def normalise_over_processes(module: nn.Module) -> None:
    """Let the batch norms of a model count the rows of all processes while it trains.

    Names, parameters and running statistics of the model stay what they are.
    """
    for part in module.modules():
        if type(part) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            part.__class__ = _BatchNorm


class _BatchNorm(nn.modules.batchnorm._BatchNorm):
    """A batch norm over all processes in training, and an ordinary one in evaluation."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Take any input that has rows and channels."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.running_mean is None or self.running_var is None:
            return super().forward(input)
        output, mean, variance, rows = _Normalised.apply(input, self.weight, self.bias, self.eps)  # type: ignore[misc]
        with torch.no_grad():
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            share = self.momentum
            if share is None:
                share = 1.0 / float(self.num_batches_tracked)
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
            unbiased = variance * (rows / (rows - 1))
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), share)
        return output


class _Normalised(Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        axes = [axis for axis in range(x.ndim) if axis != 1]
        here = wide.new_full((1,), x.numel() / x.shape[1])
        sums = torch.cat([wide.sum(axes), here])
        dist.all_reduce(sums)
        rows, mean = sums[-1], sums[:-1] / sums[-1]
        squares = (wide - _along(mean, x)).square().sum(axes)
        dist.all_reduce(squares)
        variance = squares / rows
        inverse = torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, weight, mean, inverse, rows)
        ctx.mark_non_differentiable(mean, variance, rows)
        # given its mean and variance, torch's own kernel does the rest
        output = F.batch_norm(x, mean, variance, weight, bias, training=False, eps=eps)
        return output, mean, variance, rows

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse, rows = ctx.saved_tensors
        wide, gradient = x.to(mean.dtype), gradients[0].to(mean.dtype)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        normed = (wide - _along(mean, x)) * _along(inverse, x)
        own_bias, own_weight = gradient.sum(axes), (gradient * normed).sum(axes)
        both = torch.stack([own_bias, own_weight])
        dist.all_reduce(both)
        centre, slope = (_along(total / rows, x) for total in both)
        scale = inverse if weight is None else inverse * weight.to(mean.dtype)
        into = (gradient - centre - normed * slope) * _along(scale, x)
        of_weight = None if weight is None else own_weight.to(weight.dtype)
        return into.to(x.dtype), of_weight, None if weight is None else own_bias, None


def _along(channels: Tensor, x: Tensor) -> Tensor:
    """Return one value a channel in the shape that is broadcast over `x`."""
    return channels.view(1, -1, *([1] * (x.ndim - 2)))
