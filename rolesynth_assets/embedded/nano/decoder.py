"""The language model of the nano MLLM as plain tensor operations, with a key-value cache.

Hugging Face's classes define the model (`modeling_qwen2_5_vl.Qwen2_5_VLTextModel`); this module
does the same arithmetic for many short sequences at once. Padding is never multiplied, the
projections of one input are one matrix product, the keys of a group are not repeated for its
queries, and the last layer computes only the tokens whose output is sampled from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.nn import functional

HIDDEN = torch.finfo(torch.float32).min
"""Added to the attention score of an empty column.

It is finite, since a row may have empty columns only.
"""

SPARE = 32
"""Columns allocated beyond those in use, so that not every step has to move the cache."""


class Tokens(NamedTuple):
    """N tokens of several sequences, without padding.

    Attributes:
        states: embeddings, float (N, width).
        rows: sequence of each token, int64 (N,).
        columns: column of each token in its sequence, int64 (N,).
        positions: multimodal rotary positions (3, N).
        ends: indices of the tokens whose output is needed, one per sequence in order, int64 (n,).
    """

    states: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    positions: torch.Tensor
    ends: torch.Tensor


class _Layer(NamedTuple):
    """One layer's weights; queries, keys and values in one matrix, gate and up in another."""

    norm: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor
    out: torch.Tensor
    mlp_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


class Decoder:
    """The key-value cache of n sequences, and the model that continues them.

    A sequence may leave columns empty. A token attends to the columns of its sequence that hold a
    token, up to its own column.
    """

    def __init__(self, model: Any, sequences: int) -> None:
        """Start with empty sequences and with the weights that the model has now."""
        text = model.config.text_config
        self._heads, self._groups = text.num_attention_heads, text.num_key_value_heads
        self._width = text.hidden_size // self._heads
        self._epsilon = text.rms_norm_eps
        self._sections: list[int] = text.rope_parameters["mrope_section"]
        language = model.model.language_model
        self._frequencies: torch.Tensor = language.rotary_emb.inv_freq
        self._layers = [_weights(layer) for layer in language.layers]
        self._norm: torch.Tensor = language.norm.weight
        self._words: torch.Tensor = model.lm_head.weight
        shape = (len(self._layers), sequences, self._groups, 0, self._width)
        self._keys, self._values = torch.zeros(shape), torch.zeros(shape)
        self._filled = torch.zeros(sequences, 0, dtype=torch.bool)
        self._used = 0

    def read(self, tokens: Tokens) -> torch.Tensor:
        """Add tokens to the sequences; return logits (n, vocabulary) after the end of each one."""
        first, end = int(tokens.columns.min()), int(tokens.columns.max()) + 1
        self._use(end)
        self._filled[tokens.rows, tokens.columns] = True
        width = end - first
        columns = torch.arange(end)
        visible = self._filled[:, None, :end] & (columns <= columns[first:, None])
        mask = torch.zeros(visible.shape).masked_fill_(~visible, HIDDEN)
        cos, sin = self._rotation(tokens.positions)
        at = tokens.rows * width + tokens.columns - first
        states = tokens.states
        for number, layer in enumerate(self._layers):
            query, key, value = self._project(layer, states, cos, sin)
            self._keys[number, tokens.rows, :, tokens.columns] = key
            self._values[number, tokens.rows, :, tokens.columns] = value
            if number == len(self._layers) - 1:
                mask = mask[torch.arange(len(mask)), tokens.columns[tokens.ends] - first, None]
                states, query = states[tokens.ends], query[tokens.ends]
                at, width = torch.arange(len(states)), 1
            spread = query.new_zeros(len(self._filled) * width, *query.shape[1:])
            spread[at] = query
            mixed = self._attend(number, spread.view(-1, width, *query.shape[1:]), mask, end)
            states = self._finish(layer, states, mixed.reshape(spread.shape[0], -1)[at])
        return self._logits(states)

    def step(self, states: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Add one token to every sequence, in the first column that is empty in all of them.

        Args:
            states: embeddings (n, width).
            positions: rotary positions (n,).

        Returns:
            Logits (n, vocabulary).
        """
        column, end = self._used, self._used + 1
        self._use(end)
        self._filled[:, column] = True
        mask = torch.zeros(len(states), 1, end).masked_fill_(~self._filled[:, None, :end], HIDDEN)
        cos, sin = self._rotation(positions.expand(3, -1))
        for number, layer in enumerate(self._layers):
            query, key, value = self._project(layer, states, cos, sin)
            self._keys[number, :, :, column] = key
            self._values[number, :, :, column] = value
            mixed = self._attend(number, query[:, None], mask, end)
            states = self._finish(layer, states, mixed.reshape(len(states), -1))
        return self._logits(states)

    def select(self, rows: torch.Tensor) -> None:
        """Continue with these sequences only, each as often as it is named."""
        self._move(rows, self._used + SPARE)

    def _use(self, columns: int) -> None:
        """Grow the cache to at least this many columns in use."""
        if columns > self._filled.shape[1]:
            self._move(torch.arange(len(self._filled)), columns + SPARE)
        self._used = max(self._used, columns)

    def _move(self, rows: torch.Tensor, room: int) -> None:
        used = self._used
        filled = self._filled.new_zeros(len(rows), room)
        filled[:, :used] = self._filled[rows, :used]
        self._filled = filled
        layers, _, groups, _, width = self._keys.shape
        moved = []
        for stored in (self._keys, self._values):
            # zeros: a masked column still enters the product, with the weight 0
            place = stored.new_zeros(layers, len(rows), groups, room, width)
            place[:, :, :, :used] = stored[:, rows, :, :used]
            moved.append(place)
        self._keys, self._values = moved

    def _rotation(self, positions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return cosine and sine (N, 1, width / 2) of positions (3, N), a third for each axis."""
        angles = positions[..., None].float() * self._frequencies
        parts = angles.split(self._sections, dim=-1)
        own = torch.cat([part[i % 3] for i, part in enumerate(parts)], dim=-1)[:, None]
        return own.cos(), own.sin()

    def _project(
        self, layer: _Layer, states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return queries (N, heads, width), keys and values (N, groups, width)."""
        normed = functional.rms_norm(states, states.shape[-1:], layer.norm, self._epsilon)
        joint = functional.linear(normed, layer.qkv, layer.qkv_bias)
        joint = joint.view(len(states), -1, self._width)
        turned = self._heads + self._groups
        low, high = joint[:, :turned].chunk(2, dim=-1)
        rotated = torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)
        return rotated[:, : self._heads], rotated[:, self._heads :], joint[:, turned:]

    def _attend(
        self, number: int, query: torch.Tensor, mask: torch.Tensor, end: int
    ) -> torch.Tensor:
        """Apply attention to queries (n, width, heads, head width) with a mask (n, width, end).

        The result has the shape of the queries. The queries of a group are laid side by side, as
        one longer sequence for the same keys.
        """
        n, width = query.shape[:2]
        share = self._heads // self._groups
        grouped = query.view(n, width, self._groups, share, self._width).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(
            grouped.reshape(n, self._groups, width * share, self._width),
            self._keys[number, :, :, :end],
            self._values[number, :, :, :end],
            attn_mask=mask.repeat_interleave(share, 1)[:, None],
        )
        return mixed.view(n, self._groups, width, share, self._width).transpose(1, 2)

    def _finish(self, layer: _Layer, states: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        states = states + functional.linear(mixed, layer.out)
        normed = functional.rms_norm(states, states.shape[-1:], layer.mlp_norm, self._epsilon)
        gate, up = functional.linear(normed, layer.gate_up).chunk(2, dim=-1)
        return states + functional.linear(functional.silu(gate) * up, layer.down)

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        normed = functional.rms_norm(states, states.shape[-1:], self._norm, self._epsilon)
        return functional.linear(normed, self._words)


def _weights(layer: Any) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    inputs = (attention.q_proj, attention.k_proj, attention.v_proj)
    return _Layer(
        norm=layer.input_layernorm.weight,
        qkv=torch.cat([linear.weight for linear in inputs]),
        qkv_bias=torch.cat([linear.bias for linear in inputs]),
        out=attention.o_proj.weight,
        mlp_norm=layer.post_attention_layernorm.weight,
        gate_up=torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]),
        down=mlp.down_proj.weight,
    )
