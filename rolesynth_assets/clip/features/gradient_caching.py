"""Gradient caching: encoding a batch in parts, with the gradients of the whole batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from rolesynth_assets.clip.model import ModelError

Part = Callable[[], Tensor]
"""A function without arguments that returns the (n, D) features of some rows of a batch."""


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


def encode_in_parts(parts: Sequence[Part], kept: int = 0) -> list[Tensor]:
    """Return the features of every part, keeping the activations of few parts at a time.

    A contrastive loss compares all rows of a batch, so its gradients cannot be summed over smaller
    batches. Only the features are kept here; the backward pass encodes each part again, one after
    the other (gradient caching, Gao et al. 2021, arXiv 2101.06983). Features and gradients equal
    those of the whole batch up to rounding, at the cost of one more forward pass.

    The last ``kept`` parts keep their activations and cost no second forward pass. The backward
    pass begins with them, so that their memory is free when the others are encoded again.

    Args:
        parts: functions that encode the rows of a part; the features of a row must not depend on
            other rows.
        kept: number of parts that keep their activations.

    Returns:
        What each part returned, in order.
    """
    again = len(parts) - kept
    return [
        checkpoint(part, use_reentrant=False) if place < again else part()
        for place, part in enumerate(parts)
    ]


class PartMemory:
    """How many parts of a batch keep their activations on a GPU.

    The bytes of a kind of part (images, captions) are measured once. What a step takes beside them
    is measured in the second step, when the optimiser has its state; steps before keep none.
    """

    SHARE = 0.9
    """Share of the device's memory that a step may take; the allocator loses some to fragments."""
    SHARE_AMONG_SEVERAL = 0.8
    """The same where several processes train together: their exchange takes memory, and a step that
    does not fit cannot be tried again."""

    def __init__(self, device: torch.device, several: bool = False) -> None:
        """Measure nothing yet; on a device that is no GPU no activations are kept.

        Args:
            device: where it is computed.
            several: whether several processes train together.
        """
        self._device = device
        self._share = self.SHARE_AMONG_SEVERAL if several else self.SHARE
        self._bytes: dict[str, float] = {}
        self._steps = 0
        self._beside: float | None = None
        self._now, self._most = 0, math.inf

    def kept(self, sizes: Sequence[tuple[str, int]], parts: Sequence[Part]) -> int:
        """Return how many of the last parts of a step can keep their activations.

        Args:
            sizes: kind and number of positions of each part.
            parts: the parts.
        """
        if self._device.type != "cuda":
            return 0
        for (kind, size), part in zip(sizes, parts, strict=True):
            if kind not in self._bytes:
                self._bytes[kind] = self._measured(part) / size
        needs = [self._bytes[kind] * size for kind, size in sizes]
        if self._beside is None and self._steps == 2:
            needed = torch.cuda.memory_allocated(self._device) + max(needs)
            peak = max(torch.cuda.max_memory_allocated(self._device), needed)
            # kept activations are gone when a part comes again; half of it is left as room for
            # what the backward pass of a part takes at a time
            self._beside = peak - max(needs) / 2
        self._steps += 1
        if self._beside is None:
            torch.cuda.reset_peak_memory_stats(self._device)
            return 0
        total = torch.cuda.get_device_properties(self._device).total_memory
        fit = last_that_fit(needs, total * self._share - self._beside)
        self._now = int(min(fit, self._most))
        return self._now

    def keep_fewer(self) -> bool:
        """Keep half as many parts from now on, after a step ran out of memory.

        Returns:
            Whether that step kept any, so that it can be tried again.
        """
        if self._now == 0:
            return False
        self._most = self._now = self._now // 2
        torch.cuda.empty_cache()
        return True

    def _measured(self, part: Part) -> int:
        before = torch.cuda.memory_allocated(self._device)
        features = part()
        taken = torch.cuda.memory_allocated(self._device) - before
        del features
        return taken


def last_that_fit(needs: Sequence[float], room: float) -> int:
    """Return how many values from the end have a sum of at most ``room``."""
    count = 0
    for need in reversed(needs):
        room -= need
        if room < 0:
            break
        count += 1
    return count
