"""The text features of an open_clip model, computed without padding."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import torch
from torch import Tensor

from rolesynth_assets.clip.positions import text_tower

MIXED_LENGTH_PARTS = 2  # for batches of long and short captions: two groups pad less than one


LEAST_FILLED = 0.75
"""Length of a group's shortest caption as a share of its longest, for groups by length."""


def is_trimmable(model: Any) -> bool:
    """Whether tokens after the end token cannot change the features (causal, end-pooled)."""
    tower = text_tower(model)
    pool = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    return (
        pool == "argmax"
        and getattr(tower, "attn_mask", None) is not None
        and getattr(tower, "cls_emb", None) is None
        and not getattr(tower, "output_tokens", False)
    )


def encode_text(model: Any, tokens: Tensor, parts: int = 1) -> Tensor:
    """Return ``model.encode_text(tokens)`` without computing on padding.

    In a causal tower that is read out at the end token, the positions after it change nothing, so
    the batch is cut to its longest caption. With ``parts`` > 1 the captions are first sorted into
    groups of similar length. Other towers run on all tokens.

    Args:
        model: an open_clip model.
        tokens: (M, context) integer tokens as open_clip's tokenizers make them; the end token has
            the highest number in its row.
        parts: number of groups into which the batch is divided.

    Returns:
        (M, D) features, not normalised.
    """
    if not is_trimmable(model):
        return model.encode_text(tokens)
    ends = tokens.argmax(dim=1)
    if parts <= 1 or len(tokens) < 2 * parts:
        return encode_rows(model, tokens, ends)
    order = ends.argsort(stable=True)
    runs = [encode_rows(model, tokens[rows], ends[rows]) for rows in order.chunk(parts)]
    return torch.cat(runs)[order.argsort()]


def by_length(ends: Tensor, most_tokens: int) -> list[Tensor]:
    """Divide captions into groups of similar length that hold about equally many tokens.

    A group pads each caption to its longest. It ends where the captions are less than
    `LEAST_FILLED` as long, so that little is computed on padding, or where it is full; short
    captions therefore come in larger groups than long ones.

    Args:
        ends: (M,) positions of the end tokens.
        most_tokens: most positions of a group, padding included; a longer caption is a group of
            its own.

    Returns:
        Row indices, one int64 tensor a group, the longest captions first.
    """
    order = ends.argsort(stable=True, descending=True)
    groups, start, lengths = [], 0, (ends[order] + 1).tolist()
    while start < len(lengths):
        longest = lengths[start]
        full = start + max(1, most_tokens // longest)
        short = bisect_left(lengths, -longest * LEAST_FILLED, key=lambda length: -length)
        end = max(start + 1, min(full, short))
        groups.append(order[start:end])
        start = end
    return groups


def encode_rows(model: Any, tokens: Tensor, ends: Tensor, length: int | None = None) -> Tensor:
    """Return the features of captions in a trimmable tower, cut to one length.

    Args:
        model: an open_clip model for which `is_trimmable` holds.
        tokens: (M, context) integer tokens.
        ends: (M,) positions of their end tokens.
        length: positions to compute; None finds the longest caption, which on a GPU waits for it.

    Returns:
        (M, D) features, not normalised.
    """
    tower = text_tower(model)
    length = int(ends.max()) + 1 if length is None else length
    dtype = tower.transformer.get_cast_dtype()
    x = tower.token_embedding(tokens[:, :length]).to(dtype)
    x = x + tower.positional_embedding[:length].to(dtype)
    x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
    x = tower.ln_final(x[torch.arange(len(x), device=x.device), ends])
    projection = tower.text_projection
    if projection is None:
        return x
    return projection(x) if isinstance(projection, torch.nn.Linear) else x @ projection
