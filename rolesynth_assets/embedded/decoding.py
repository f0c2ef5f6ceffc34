"""Batched decoding for the nano MLLM: images and shared prefixes read once, then token by token.

Each request draws from its own random stream, fixed by its seed alone, so its answer does not
depend on which other requests share the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from rolesynth_assets.embedded.nano import embed, rope_positions
from rolesynth_assets.mllm.engine import Sampling

LIKELIEST = 64
"""Tokens looked at first in sampling; sorting the whole vocabulary costs more than the model."""


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
        prompts: what to answer; each shows one image.
        image_tokens: tokens of the batch's images (images, 16, width).
    """
    state = _prefill(model, prompts, image_tokens)
    end = model.config.text_config.eos_token_id
    answers = [Completion([]) for _ in prompts]
    limits = [p.sampling.max_tokens for p in prompts]
    draws = np.stack([np.random.default_rng(p.seed).random(max(limits)) for p in prompts])
    rows = list(range(len(prompts)))  # rows of the batch still being written
    for step in range(max(limits)):
        tokens = _draw(state.logits, [prompts[r].sampling for r in rows], draws[rows, step])
        alive = []
        for at, (row, token) in enumerate(zip(rows, tokens.tolist(), strict=True)):
            if token == end:
                answers[row].ended = True
            else:
                answers[row].ids.append(token)
                if len(answers[row].ids) < limits[row]:
                    alive.append(at)
        if not alive:
            break
        if len(alive) < len(rows):
            state.keep(torch.tensor(alive))
            rows = [rows[at] for at in alive]
            tokens = tokens[alive]
        state.advance(model, tokens)
    return answers


@dataclass
class _State:
    """Logits of the next token and what the model needs to go on."""

    logits: torch.Tensor
    cache: Any
    mask: torch.Tensor
    positions: torch.Tensor

    def keep(self, rows: torch.Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.mask = self.mask[rows]
        self.positions = self.positions[rows]

    def advance(self, model: Any, tokens: torch.Tensor) -> None:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        self.positions = self.positions + 1
        hidden = model.model.language_model(
            inputs_embeds=model.get_input_embeddings()(tokens[:, None]),
            position_ids=self.positions.expand(3, -1, 1),
            attention_mask=self.mask,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        self.logits = model.lm_head(hidden[:, -1])


def _prefill(model: Any, prompts: Sequence[Prompt], image_tokens: torch.Tensor) -> _State:
    """Read all prompts: what the prompts of an image share once, and then what is their own.

    System text and image come first in every prompt, so the requests of an image that stand back to
    back share these tokens' keys and values, as they do in a server with a prefix cache.
    """
    ends = [p.ids.index(model.config.vision_end_token_id) + 1 for p in prompts]
    heads = [(p.image, tuple(p.ids[:end])) for p, end in zip(prompts, ends, strict=True)]
    shared = {head: row for row, head in enumerate(dict.fromkeys(heads))}
    rows = torch.tensor([shared[head] for head in heads])
    ids, positions, mask = _left_padded(model, [list(part) for _, part in shared], 0)
    output = model.model.language_model(
        inputs_embeds=embed(model, ids, image_tokens[[image for image, _ in shared]]),
        position_ids=positions,
        attention_mask=mask,
        use_cache=True,
    )
    cache = output.past_key_values
    cache.batch_select_indices(rows)
    tails, tail_positions, tail_mask = _left_padded(model, [p.ids for p in prompts], ends)
    mask = torch.cat([mask[rows], tail_mask], dim=1)
    output = model.model.language_model(
        inputs_embeds=model.get_input_embeddings()(tails),
        position_ids=tail_positions,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
    )
    logits = model.lm_head(output.last_hidden_state[:, -1])
    return _State(logits, cache, mask, tail_positions[0, :, -1:])


def _left_padded(
    model: Any, sequences: Sequence[list[int]], skip: int | Sequence[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pad on the left, so that every row's last token stands in the last column.

    Args:
        model: the nano MLLM.
        sequences: token ids, from the beginning of each prompt, as positions count from there.
        skip: leading tokens of each sequence to leave out.

    Returns:
        Token ids (n, length), rotary positions (3, n, length), mask (n, length).
    """
    pad = model.config.text_config.pad_token_id
    skips = torch.tensor([skip] * len(sequences) if isinstance(skip, int) else list(skip))
    lengths = torch.tensor([len(ids) for ids in sequences])
    longest = int(lengths.max())
    right = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in sequences])
    positions = rope_positions(right, model.config.image_token_id)
    width = int((lengths - skips).max())
    column = torch.arange(width) + (lengths - width)[:, None]
    mask = (column >= skips[:, None]).long()
    column = column.clamp(min=0)
    return right.gather(1, column), positions.gather(2, column.expand(3, -1, -1)), mask


def _draw(logits: torch.Tensor, sampling: Sequence[Sampling], uniform: np.ndarray) -> torch.Tensor:
    """Draw one token a row: nucleus sampling by the inverse of the cumulative distribution."""
    greedy = torch.tensor([s.temperature == 0 for s in sampling])
    if bool(greedy.all()):
        return logits.argmax(1)
    temperature = torch.tensor([s.temperature or 1.0 for s in sampling])
    top_p = torch.tensor([s.top_p for s in sampling])
    probabilities = (logits / temperature[:, None]).softmax(1)
    ordered, order = probabilities.topk(min(LIKELIEST, logits.shape[1]))
    if bool((ordered.sum(1) < top_p).any()):  # a nucleus wider than that: look at every token
        ordered, order = probabilities.sort(dim=1, descending=True)
    below = ordered.cumsum(1) - ordered
    ordered = ordered.masked_fill(below >= top_p[:, None], 0.0)  # the first token always stays
    reached = ordered.cumsum(1)
    target = torch.from_numpy(uniform).to(reached) * reached[:, -1]
    column = (reached <= target[:, None]).sum(1)
    column = column.minimum((ordered > 0).sum(1) - 1)  # a draw that rounds to 1 stays inside
    drawn = order.gather(1, column[:, None])[:, 0]
    return torch.where(greedy, logits.argmax(1), drawn)
