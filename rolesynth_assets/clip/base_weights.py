"""The pretrained base of the embedded world, a small file that ships with the package.

Most of a nano CLIP is its table of 49,408 token embeddings, of which the world's texts use a few
hundred. The file holds the rows that were trained; the others are drawn as open_clip draws them,
from a fixed seed, so that the whole table is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from rolesynth_assets.clip.architectures import FOLDER

BASE = FOLDER / "rolesynth-nano-base.safetensors"
TABLE, ROWS = "token_embedding.weight", "token_embedding.rows"
VOCABULARY = 49_408
"""Tokens of CLIP's vocabulary."""
_UNUSED_SEED, _UNUSED_STD = 0, 0.02


def save_base(weights: dict[str, Tensor], used: Iterable[int], out: Path) -> None:
    """Write weights in float16, with the used rows of the token table alone.

    Args:
        weights: weights in open_clip's layout.
        used: token ids that the training has seen.
        out: the file.
    """
    from safetensors.torch import save_file

    rows = torch.tensor(sorted(set(used)), dtype=torch.int32)
    small = {name: t.half() if t.is_floating_point() else t for name, t in weights.items()}
    small[TABLE] = small[TABLE][rows.long()].contiguous()
    save_file({**small, ROWS: rows}, out)


def with_whole_table(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights whose token table has all rows again; other weights are returned as they are.

    Args:
        state: the content of a weights file.
    """
    if ROWS not in state:
        return state
    rest = dict(state)
    rows, trained = rest.pop(ROWS).long(), rest[TABLE].float()
    generator = torch.Generator().manual_seed(_UNUSED_SEED)
    table = torch.randn(VOCABULARY, trained.shape[1], generator=generator) * _UNUSED_STD
    table[rows] = trained
    return {**rest, TABLE: table}
