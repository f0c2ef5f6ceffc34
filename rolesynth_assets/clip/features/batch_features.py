"""The features of a training batch: whole, or in parts that a device has room for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rolesynth_assets.clip.features.gradient_caching import Part, PartMemory, encode_in_parts
from rolesynth_assets.clip.features.trimmed_text import (
    MIXED_LENGTH_PARTS,
    by_length,
    encode_rows,
    encode_text,
    is_trimmable,
)


class BatchFeatures:
    """Encodes the pixels and tokens of a batch on a device.

    Attributes:
        memory: number of parts of a batch that keep their activations.
    """

    def __init__(
        self,
        module: Any,
        normalise: Callable[[Tensor], Tensor],
        device: torch.device,
        micro_batch: int | None,
        autocast: bool,
        several: bool = False,
    ) -> None:
        """Say how to encode.

        Args:
            module: the open_clip model, on the device.
            normalise: function from uint8 pixels to the model's float32 input.
            device: where to compute.
            micro_batch: most images in a part, and most captions of full context length; None
                encodes the batch at once.
            autocast: whether the forward pass runs in bfloat16.
            several: whether several processes train together.
        """
        self._module, self._normalise, self._device = module, normalise, device
        self._micro_batch, self._autocast = micro_batch, autocast
        self._trimmable = is_trimmable(module)
        self.memory = PartMemory(device, several)

    def encode(self, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Encode a batch.

        Args:
            pixels: (N, 3, height, width) uint8.
            tokens: (M, context) integer tokens, on the CPU.

        Returns:
            Features of the images (N, D) and of the captions (M, D), float32 or wider, not
            normalised.
        """
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
            if self._micro_batch is None:
                images = self._images(self._there(pixels))
                texts = encode_text(self._module, self._there(tokens), MIXED_LENGTH_PARTS)
                return _wide(images), _wide(texts)
            return self._in_parts(self._there(pixels), tokens, self._micro_batch)

    def _in_parts(self, pixels: Tensor, tokens: Tensor, most: int) -> tuple[Tensor, Tensor]:
        images = pixels.split(most)
        ends = tokens.argmax(dim=1)
        groups = (
            by_length(ends, most * tokens.shape[1])
            if self._trimmable
            else [*torch.arange(len(ends)).split(most)]
        )
        parts: list[Part] = [partial(self._images, some) for some in images]
        sizes = [("image", len(some)) for some in images]
        for rows in groups:
            length = int(ends[rows].max()) + 1 if self._trimmable else tokens.shape[1]
            some = self._there(tokens[rows, :length]), self._there(ends[rows])
            parts.append(partial(self._texts, *some, length))
            sizes.append(("token", len(rows) * length))
        whole = len(parts) == 2  # one part of images, one of captions: nothing to encode again
        kept = 2 if whole else self.memory.kept(sizes, parts)
        features = encode_in_parts(parts, kept)
        in_order = torch.cat(groups).argsort().to(self._device)
        texts = torch.cat(features[len(images) :])[in_order]
        return _wide(torch.cat(features[: len(images)])), _wide(texts)

    def _images(self, pixels: Tensor) -> Tensor:
        # channels_last makes convolutions a third cheaper
        images = self._normalise(pixels).contiguous(memory_format=torch.channels_last)
        return self._module.encode_image(images)

    def _texts(self, tokens: Tensor, ends: Tensor, length: int) -> Tensor:
        if self._trimmable:
            return encode_rows(self._module, tokens, ends, length)
        return self._module.encode_text(tokens)

    def _there(self, rows: Tensor) -> Tensor:
        return rows.to(self._device, non_blocking=True)


def _wide(features: Tensor) -> Tensor:
    return features.to(torch.promote_types(features.dtype, torch.float32))
