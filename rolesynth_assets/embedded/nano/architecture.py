"""The nano MLLM: Qwen2.5-VL's architecture at a few million parameters.

Hugging Face's classes hold the weights and define the forward pass. `encode_images` runs the same
vision tower on a batch of images of one size, without the loop over images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_position_ids

SIDE = 112
"""Side of the image that the tower reads, px."""
PATCH = 14
MERGE = 2
GRID = SIDE // PATCH
IMAGE_TOKENS = (GRID // MERGE) ** 2
"""Tokens of one image in the language model: 16, a grid of 4 x 4 cells."""
MEAN, STD = 0.5, 0.25
"""Normalisation of pixel values in 0..1, the same for all channels."""


def nano_config(vocab_size: int, token_ids: dict[str, int]) -> Qwen2_5_VLConfig:
    """Return the model configuration; `token_ids` maps Qwen's special tokens to their ids."""
    vision: dict[str, Any] = {
        "depth": 4,
        "hidden_size": 128,
        "num_heads": 4,
        "intermediate_size": 320,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 2,
        "window_size": SIDE,
        "out_hidden_size": 192,
        "fullatt_block_indexes": [0, 1, 2, 3],
    }
    text: dict[str, Any] = {
        "vocab_size": vocab_size,
        "hidden_size": 192,
        "intermediate_size": 448,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_section": [8, 8, 8],
        },
        "bos_token_id": token_ids["<|endoftext|>"],
        "eos_token_id": token_ids["<|im_end|>"],
        "pad_token_id": token_ids["<|endoftext|>"],
    }
    return Qwen2_5_VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=token_ids["<|image_pad|>"],
        video_token_id=token_ids["<|video_pad|>"],
        vision_start_token_id=token_ids["<|vision_start|>"],
        vision_end_token_id=token_ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def encode_images(visual: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Encode images of one size; the result equals that of the tower's own forward pass.

    Args:
        visual: the model's vision tower.
        pixels: float (n, 3, 112, 112), normalised.

    Returns:
        Merged image tokens, float (n, 16, hidden size of the language model).
    """
    return visual.merger(encode_patches(visual, pixels)).view(len(pixels), IMAGE_TOKENS, -1)


def to_patches(pixels: torch.Tensor) -> torch.Tensor:
    """Cut (n, 3, 112, 112) into patches (n, 64, 588), cell by cell with 2 x 2 patches each."""
    cells = GRID // MERGE
    patches = pixels.view(-1, 3, cells, MERGE, PATCH, cells, MERGE, PATCH)
    return patches.permute(0, 2, 5, 3, 6, 1, 4, 7).reshape(len(pixels), GRID * GRID, -1)


def encode_patches(visual: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Run the tower up to its merger, from pixels as in `encode_images` to (n, 64, tower width)."""
    # both frames of the temporal patch are the same image, so their weights add up
    weight = visual.patch_embed.proj.weight.sum(2).flatten(1)
    hidden = functional.linear(to_patches(pixels), weight)
    positions = get_vision_position_ids(torch.tensor([[1, GRID, GRID]]), MERGE)
    cos, sin = visual.rotary_pos_emb(hidden, positions)
    for block in visual.blocks:
        hidden = hidden + _attend(block.attn, block.norm1(hidden), cos, sin)
        hidden = hidden + block.mlp(block.norm2(hidden))
    return hidden


def _attend(
    attention: Any, hidden: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
) -> torch.Tensor:
    n, length, width = hidden.shape
    qkv = attention.qkv(hidden).view(n, length, 3, attention.num_heads, -1)
    query, key, value = qkv.unbind(2)
    query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    )
    return attention.proj(mixed.transpose(1, 2).reshape(n, length, width))


def new_nano(config: Qwen2_5_VLConfig, seed: int) -> Qwen2_5_VLForConditionalGeneration:
    """Return a freshly initialised model in float32."""
    torch.manual_seed(seed)
    return Qwen2_5_VLForConditionalGeneration(config).float()


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Turn values 0..255 of shape (n, 112, 112, 3) into the tower's input (n, 3, 112, 112)."""
    return ((pixels / 255 - MEAN) / STD).permute(0, 3, 1, 2).contiguous()


def rope_positions(ids: torch.Tensor, image_token: int) -> torch.Tensor:
    """Return multimodal rotary positions (3, n, length) for sequences with at most one image.

    The position of text grows by one for each token. The 16 tokens of an image share one time step
    and carry their row and column in the 4 x 4 grid; the text after it continues four positions
    later.

    Args:
        ids: token ids (n, length), not padded on the left.
        image_token: id of ``<|image_pad|>``.
    """
    n, length = ids.shape
    cells = GRID // MERGE
    is_image = ids == image_token
    before = is_image.cumsum(1)
    plain = torch.arange(length).expand(n, length)
    positions = torch.where(before > 0, plain - before.clamp(max=IMAGE_TOKENS) + cells, plain)
    first = (plain - before + 1).masked_fill(~is_image, 0)  # where the image begins
    index = before - 1
    time = torch.where(is_image, first, positions)
    row = torch.where(is_image, first + index // cells, positions)
    column = torch.where(is_image, first + index % cells, positions)
    return torch.stack([time, row, column])


def embed(model: Any, ids: torch.Tensor, image_tokens: torch.Tensor) -> torch.Tensor:
    """Look up the embeddings of the token ids and insert the images' tokens at their positions.

    Args:
        model: the nano MLLM.
        ids: token ids (n, length).
        image_tokens: tokens of the sequences' images in order, (images, 16, width).
    """
    embeddings = model.get_input_embeddings()(ids)
    is_image = (ids == model.config.image_token_id).unsqueeze(-1).expand_as(embeddings)
    return embeddings.masked_scatter(is_image, image_tokens.to(embeddings.dtype))


def read_pixels(images: Sequence[bytes]) -> torch.Tensor:
    """Decode images into the tower's input (n, 3, 112, 112).

    Images of any shape are resized to a square with a box filter.
    """
    from PIL import Image

    from rolesynth_assets.pictures.opened import open_picture

    drawn = []
    for data in images:
        with open_picture(data) as image:
            square = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        drawn.append(np.asarray(square))
    return normalise(torch.from_numpy(np.stack(drawn)).float())
