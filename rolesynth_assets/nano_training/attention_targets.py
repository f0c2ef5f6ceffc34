"""Targets for the attention of the language model: the image cells that show what a word names.

With the loss on replies alone the model names what it sees, but does not find what a text mentions:
asked where the dog is, it guesses. Two heads of the second layer are therefore trained to attend
from a word that names a thing, or a figure's colour, to the image cells that show it, or to the
token before the image if no cell does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb

from rolesynth_assets.embedded.nano.architecture import IMAGE_TOKENS
from rolesynth_assets.embedded.world.figures import Colour
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import Scene
from rolesynth_assets.embedded.world.specification import Picture
from rolesynth_assets.nano_training.cell_labels import NO_COLOUR, THINGS, WORDS, cell_labels

LAYER = 1
HEADS = 2
"""The first heads of the layer are trained; with four heads and two keys they share one key."""


class Looks(NamedTuple):
    """Attention targets of words.

    Attributes:
        rows: row of each word, int (words,).
        columns: column of each word, int (words,).
        targets: whether the word should attend to each token of its row, bool (words, length).
    """

    rows: torch.Tensor
    columns: torch.Tensor
    targets: torch.Tensor


def named_things(tokenizer: Tokenizer) -> dict[int, str]:
    """Return the ids of the tokens that name a thing or a colour, with the name."""
    spelt = {word: word for word in (*WORDS[:THINGS], *Colour)}
    spelt |= {kind.plural: kind.noun for kind in KINDS} | {"bars": "bar"}
    found: dict[int, str] = {}
    for text, name in spelt.items():
        for written in (f" {text}", text, f" {text.capitalize()}", text.capitalize()):
            ids = tokenizer.encode(written).ids
            if len(ids) == 1:
                found[ids[0]] = name
    return found


def looks(
    ids: torch.Tensor, pictures: Sequence[Picture], names: Mapping[int, str], image_token: int
) -> Looks:
    """Find the words of the lessons that name something, with their attention targets.

    Args:
        ids: token ids of the lessons (n, length).
        pictures: their n pictures.
        names: see `named_things`.
        image_token: id of ``<|image_pad|>``.
    """
    rows, columns, targets = [], [], []
    for row, (line, picture) in enumerate(zip(ids.tolist(), pictures, strict=True)):
        begin = line.index(image_token)
        shown = _cells_by_name(picture)
        for column in range(begin + IMAGE_TOKENS, len(line)):
            name = names.get(line[column])
            if name is None or (isinstance(picture, Scene) and name in tuple(Colour)):
                continue
            target = torch.zeros(ids.shape[1], dtype=torch.bool)
            cells = shown.get(name)
            if cells:
                target[[begin + cell for cell in cells]] = True
            else:
                target[begin - 1] = True
            rows.append(row)
            columns.append(column)
            targets.append(target)
    if not targets:
        nowhere = torch.zeros(0, dtype=torch.long)
        return Looks(nowhere, nowhere, torch.zeros(0, ids.shape[1], dtype=torch.bool))
    return Looks(torch.tensor(rows), torch.tensor(columns), torch.stack(targets))


def _cells_by_name(picture: Picture) -> dict[str, list[int]]:
    labels, found = cell_labels(picture), {}
    for cell, (shown, colour) in enumerate(zip(labels.shown, labels.colour, strict=True)):
        if shown < THINGS:
            found.setdefault(WORDS[shown], []).append(cell)
        if colour != NO_COLOUR:
            found.setdefault(str(list(Colour)[colour]), []).append(cell)
    return found


class Gaze:
    """Records the inputs of the trained attention while the model reads a batch."""

    def __init__(self, model: Any) -> None:
        self._attention = model.model.language_model.layers[LAYER].self_attn
        self._read: tuple[torch.Tensor, Any] | None = None
        self._handle = self._attention.register_forward_pre_hook(self._watch, with_kwargs=True)

    def _watch(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        self._read = hidden, kwargs["position_embeddings"]

    def close(self) -> None:
        """Stop recording."""
        self._handle.remove()

    def loss(self, wanted: Looks) -> torch.Tensor:
        """Return the negative log of the attention that falls on the targets.

        It is a mean over the heads and a sum over the words of the batch that the model read last.
        """
        assert self._read is not None, "the model has read nothing yet"
        hidden, (cos, sin) = self._read
        n, length, _ = hidden.shape
        attention = self._attention
        query = attention.q_proj(hidden).view(n, length, -1, attention.head_dim).transpose(1, 2)
        key = attention.k_proj(hidden).view(n, length, -1, attention.head_dim).transpose(1, 2)
        query, key = apply_rotary_pos_emb(query[:, :HEADS], key[:, :1], cos, sin)
        asking = query[wanted.rows, :, wanted.columns]  # (words, heads, head width)
        scores = torch.einsum("whd,wld->whl", asking, key[wanted.rows, 0]) * attention.scaling
        later = torch.arange(length) > wanted.columns[:, None]
        beliefs = scores.masked_fill(later[:, None], -torch.inf).log_softmax(-1)
        on_target = beliefs.masked_fill(~wanted.targets[:, None], -torch.inf).logsumexp(-1)
        return -on_target.mean(1).sum()
