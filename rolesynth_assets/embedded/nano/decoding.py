"""Batched decoding of the nano MLLM, in which images and shared prefixes are read once.

Each request has a random stream of its own, which depends on its seed alone. Its answer therefore
does not depend on the other requests of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from rolesynth_assets.embedded.nano.architecture import embed, rope_positions
from rolesynth_assets.embedded.nano.decoder import Decoder, Tokens
from rolesynth_assets.mllm.engine import Sampling

LIKELIEST = 64
"""Most likely tokens that sampling looks at first.

Sorting the whole vocabulary takes longer than the model.
"""

CLEARED = 0.8
"""Finished rows are removed once at most this share of the batch is still being written.

The removal moves the other rows in memory, which takes as long as a step.
"""


class Prompt(NamedTuple):
    """One prompt: token ids, index into the batch's images, sampling and seed."""

    ids: list[int]
    image: int
    sampling: Sampling
    seed: int


@dataclass
class Completion:
    """Generated token ids without the end token, and whether the end token was reached."""

    ids: list[int]
    ended: bool = False


@torch.inference_mode()
def complete_batch(
    model: Any, prompts: Sequence[Prompt], image_tokens: torch.Tensor
) -> list[Completion]:
    """Answer a batch of prompts.

    Args:
        model: the nano MLLM.
        prompts: the prompts to answer, each with one image.
        image_tokens: tokens of the batch's images (images, 16, width).
    """
    state = _prefill(model, prompts, image_tokens)
    end = model.config.text_config.eos_token_id
    answers = [Completion([]) for _ in prompts]
    limits = [p.sampling.max_tokens for p in prompts]
    draws = np.stack([np.random.default_rng(p.seed).random(max(limits)) for p in prompts])
    rows = list(range(len(prompts)))  # rows of the batch still in the state
    writing = set(rows)
    for step in range(max(limits)):
        tokens = _draw(state.logits, [prompts[r].sampling for r in rows], draws[rows, step])
        for row, token in zip(rows, tokens.tolist(), strict=True):
            if row not in writing:
                continue
            if token == end:
                answers[row].ended = True
            else:
                answers[row].ids.append(token)
            if token == end or len(answers[row].ids) == limits[row]:
                writing.remove(row)
        if not writing:
            break
        if len(writing) <= CLEARED * len(rows):
            alive = [at for at, row in enumerate(rows) if row in writing]
            state.keep(torch.tensor(alive))
            rows = [rows[at] for at in alive]
            tokens = tokens[alive]
        state.advance(tokens)
    return answers


class _State:
    """The logits of the next token, and all that the model needs to continue."""

    def __init__(
        self, decoder: Decoder, words: Any, logits: torch.Tensor, positions: torch.Tensor
    ) -> None:
        self.logits = logits
        self._decoder = decoder
        self._words = words
        self._positions = positions

    def keep(self, rows: torch.Tensor) -> None:
        self._decoder.select(rows)
        self._positions = self._positions[rows]

    def advance(self, tokens: torch.Tensor) -> None:
        self._positions = self._positions + 1
        self.logits = self._decoder.step(self._words(tokens), self._positions)


def _prefill(model: Any, prompts: Sequence[Prompt], image_tokens: torch.Tensor) -> _State:
    """Read all prompts: first the prefix that prompts of one image share, then the rest of each.

    The system text and the image come first in every prompt. Requests of one image in a batch share
    the keys and values of these tokens, as they do in a server with a prefix cache.
    """
    ends = [p.ids.index(model.config.vision_end_token_id) + 1 for p in prompts]
    heads = [(p.image, tuple(p.ids[:end])) for p, end in zip(prompts, ends, strict=True)]
    shared = {head: row for row, head in enumerate(dict.fromkeys(heads))}
    images = image_tokens[[image for image, _ in shared]]
    first = _tokens(model, [list(part) for _, part in shared], [0] * len(shared), images)
    decoder = Decoder(model, len(shared))
    decoder.read(first)
    decoder.select(torch.tensor([shared[head] for head in heads]))
    tails = _tokens(model, [p.ids for p in prompts], ends, None)
    logits = decoder.read(tails)
    return _State(decoder, model.get_input_embeddings(), logits, tails.positions[0, tails.ends])


def _tokens(
    model: Any,
    sequences: Sequence[list[int]],
    skip: Sequence[int],
    image_tokens: torch.Tensor | None,
) -> Tokens:
    """Lay out sequences, each token in the column of its index.

    Args:
        model: the nano MLLM.
        sequences: token ids from the beginning of each prompt, where positions start at 0.
        skip: number of leading tokens of each sequence to leave out.
        image_tokens: tokens of the images in the remaining part (n, 16, width); None if there are
            none.
    """
    pad = model.config.text_config.pad_token_id
    longest = max(map(len, sequences))
    padded = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in sequences])
    column = torch.arange(longest).expand_as(padded)
    lengths = torch.tensor([len(ids) for ids in sequences])
    own = (column >= torch.tensor(list(skip))[:, None]) & (column < lengths[:, None])
    ids = padded[own][None]
    words = model.get_input_embeddings()
    states = words(ids) if image_tokens is None else embed(model, ids, image_tokens)
    rows, columns = own.nonzero(as_tuple=True)
    ends = own.sum(1).cumsum(0) - 1
    positions = rope_positions(padded, model.config.image_token_id)[:, own]
    return Tokens(states[0], rows, columns, positions, ends)


def _draw(logits: torch.Tensor, sampling: Sequence[Sampling], uniform: np.ndarray) -> torch.Tensor:
    """Draw one token per row by nucleus sampling, inverting the cumulative distribution."""
    greedy = torch.tensor([s.temperature == 0 for s in sampling])
    if bool(greedy.all()):
        return logits.argmax(1)
    temperature = torch.tensor([s.temperature or 1.0 for s in sampling])
    top_p = torch.tensor([s.top_p for s in sampling])
    probabilities = (logits / temperature[:, None]).softmax(1)
    ordered, order = probabilities.topk(min(LIKELIEST, logits.shape[1]))
    if bool((ordered.sum(1) < top_p).any()):  # the nucleus is larger: sort every token
        ordered, order = probabilities.sort(dim=1, descending=True)
    below = ordered.cumsum(1) - ordered
    ordered = ordered.masked_fill(below >= top_p[:, None], 0.0)  # the first token is always kept
    reached = ordered.cumsum(1)
    target = torch.from_numpy(uniform).to(reached) * reached[:, -1]
    column = (reached <= target[:, None]).sum(1)
    column = column.minimum((ordered > 0).sum(1) - 1)  # a draw may round to 1
    drawn = order.gather(1, column[:, None])[:, 0]
    return torch.where(greedy, logits.argmax(1), drawn)
