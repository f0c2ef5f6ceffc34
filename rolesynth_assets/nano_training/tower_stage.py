"""First training stage of the nano MLLM: the vision tower learns the content of each cell.

With the language loss alone the model does not learn to see. The tower is therefore trained on
dense labels per merged patch (the thing or background that the cell shows, a figure's colour, a
bar's value, whether it contains a centre); the language model is trained on top of it afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from rolesynth_assets.embedded.nano.architecture import (
    GRID,
    IMAGE_TOKENS,
    MERGE,
    PATCH,
    encode_patches,
    to_patches,
)
from rolesynth_assets.embedded.world.figures import TALLEST, Colour
from rolesynth_assets.embedded.world.scenes import POSITIONS
from rolesynth_assets.embedded.world.specification import Picture
from rolesynth_assets.nano_training.cell_labels import (
    CELLS,
    NO_COLOUR,
    THINGS,
    WORDS,
    CellLabels,
    cell_labels,
    shown_in_grid,
)
from rolesynth_assets.nano_training.curriculum import CURRICULA, picture_batch


class GroundingHead(nn.Module):
    """Predicts the dense labels, per patch and per merged cell; for training only.

    The content of a cell, and a figure's colour, is predicted by comparing the cell's token with
    the language model's embeddings of the words. An image token is then close to its words, and
    attention can find the thing that a text mentions by comparison. Rotary positions are relative,
    so a token does not know its place in the image; the place is therefore predicted too.
    """

    def __init__(self, patch_width: int, words: torch.Tensor, colours: torch.Tensor) -> None:
        """Create the layers.

        Args:
            patch_width: width of the tower.
            words: embeddings of `WORDS` (len(WORDS), token width).
            colours: embeddings of the colours of figures (8, token width).
        """
        super().__init__()
        labels, width = words.shape
        self.patch_shown = nn.Linear(patch_width, labels)
        self.words = nn.Buffer(functional.normalize(words.detach().clone(), dim=1))
        self.colours = nn.Buffer(functional.normalize(colours.detach().clone(), dim=1))
        self.sharpness = nn.Parameter(torch.tensor(12.0))
        self.cell_value = nn.Linear(width, TALLEST + 1)
        self.cell_centre = nn.Linear(width, 3)
        self.cell_place = nn.Linear(width, IMAGE_TOKENS)
        self.cell_position = nn.Linear(width, len(POSITIONS) + 1)

    def forward(
        self, patches: torch.Tensor, tokens: torch.Tensor, labels: TowerLabels
    ) -> tuple[torch.Tensor, float]:
        """Return the loss and the accuracy on the cells that show a thing.

        Args:
            patches: the tower's output before the merger, (n, 64, patch width).
            tokens: image tokens, (n, 16, token width).
            labels: labels of the n pictures.
        """
        cells = labels.cells
        place = torch.arange(IMAGE_TOKENS).repeat(len(tokens))
        tokens = tokens.flatten(0, 1)
        pointing = self.sharpness * functional.normalize(tokens, dim=1)
        shown = pointing @ self.words.T
        loss = (
            _shown_loss(self.patch_shown(patches).flatten(0, 1), labels.patches)
            + _shown_loss(shown, cells.shown)
            + 0.5 * functional.cross_entropy(self.cell_centre(tokens), cells.centre)
            + 0.5 * functional.cross_entropy(self.cell_position(tokens), cells.position)
            + 0.2 * functional.cross_entropy(self.cell_place(tokens), place)
        )
        coloured = cells.colour != NO_COLOUR
        if coloured.any():
            colour = pointing[coloured] @ self.colours.T
            loss = loss + 0.3 * functional.cross_entropy(colour, cells.colour[coloured])
            value = self.cell_value(tokens[coloured])
            loss = loss + 0.3 * functional.cross_entropy(value, cells.value[coloured])
        is_thing = cells.shown < THINGS
        return loss, (shown.argmax(1) == cells.shown)[is_thing].float().mean().item()


class TowerLabels(NamedTuple):
    """Labels of n pictures: per patch int (64 n,), in the tower's order, and per merged cell."""

    patches: torch.Tensor
    cells: CellLabels[torch.Tensor]


def tower_labels(pictures: Sequence[Picture]) -> TowerLabels:
    """Label pictures for the tower."""
    fine = torch.from_numpy(np.stack([shown_in_grid(p, GRID) for p in pictures]))
    # the tower's patch order: merged cell by merged cell
    fine = fine.view(-1, CELLS, MERGE, CELLS, MERGE).transpose(2, 3).flatten()
    each = [cell_labels(picture) for picture in pictures]
    joined = (torch.from_numpy(np.concatenate(part)) for part in zip(*each, strict=True))
    return TowerLabels(fine, CellLabels(*joined))


def word_embeddings(model: Any, tokenizer: Tokenizer, words: Sequence[str]) -> torch.Tensor:
    """Return the embeddings of words that are one token each, (words, token width).

    Raises:
        ValueError: a word is not a single token.
    """
    ids = [tokenizer.encode(f" {word}").ids for word in words]
    split = [word for word, parts in zip(words, ids, strict=True) if len(parts) != 1]
    if split:
        raise ValueError(f"these words are not single tokens: {split}")
    return model.get_input_embeddings().weight[[parts[0] for parts in ids]]


def _shown_loss(logits: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    weight = torch.where(shown < THINGS, 1.0, 0.3)  # most cells are background
    return (functional.cross_entropy(logits, shown, reduction="none") * weight).mean()


def whiten_patches(visual: Any, seed: int) -> None:
    """Set the patch embedding to the whitened principal components of the world's patches."""
    noise = np.random.default_rng(seed)
    _, pixels = picture_batch(seed, range(2000), noise, CURRICULA["all"])
    patches = to_patches(pixels).flatten(0, 1)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    width = visual.patch_embed.proj.out_channels
    basis = vectors[:, -width:].T / (values[-width:, None] + 0.02).sqrt()
    weight = basis.view(width, 3, 1, PATCH, PATCH) / 2  # halved: both frames hold the image
    visual.patch_embed.proj.weight.data.copy_(weight.expand_as(visual.patch_embed.proj.weight))


def optimizers(model: nn.Module, extra: list[nn.Parameter], lr: float) -> list[Any]:
    """Return Muon for the hidden matrices and AdamW for all other parameters."""
    matrices, others = [], list(extra)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        hidden = parameter.ndim == 2 and "embed_tokens" not in name and "merger" not in name
        (matrices if hidden else others).append(parameter)
    muon = torch.optim.Muon(
        matrices, lr=lr, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
    )
    return [muon, torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.01)]


def one_cycle(step: int, steps: int, warmup: int = 60) -> float:
    """Return the learning-rate factor: linear warm-up, then cosine to 3 %."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.03 + 0.97 * 0.5 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))


def set_rate(stages: Sequence[Any], rate: float) -> None:
    """Set the learning rate of all optimisers."""
    for optimizer in stages:
        for group in optimizer.param_groups:
            group["lr"] = rate


def _tower_batch(seed: int, batch: int, step: int) -> tuple[TowerLabels, torch.Tensor]:
    indices = range(step * batch, (step + 1) * batch)
    noise = np.random.default_rng([seed, step])
    pictures, pixels = picture_batch(seed, indices, noise, CURRICULA["all"])
    return tower_labels(pictures), pixels


def prefetched(
    make: Callable[[int, int, int], Any], seed: int, batch: int, steps: int
) -> Iterator[Any]:
    """Yield ``make(seed, batch, step)`` for each step, computed ahead in another process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        ahead = deque(pool.submit(make, seed, batch, step) for step in range(min(4, steps)))
        for step in range(steps):
            if step + len(ahead) < steps:
                ahead.append(pool.submit(make, seed, batch, step + len(ahead)))
            yield ahead.popleft().result()


def train_tower(
    model: Any,
    tokenizer: Tokenizer,
    *,
    seed: int,
    steps: int,
    batch: int,
    lr: float,
    log: Callable[[str], None],
) -> GroundingHead:
    """Train the vision tower of `model` in place on dense labels; return the head of the labels."""
    torch.manual_seed(seed)
    visual = model.model.visual
    head = GroundingHead(
        model.config.vision_config.hidden_size,
        word_embeddings(model, tokenizer, WORDS),
        word_embeddings(model, tokenizer, tuple(Colour)),
    )
    tower = torch.compile(encode_patches)
    stages = optimizers(visual, list(head.parameters()), lr)
    seen = 0.0
    for step, (labels, pixels) in enumerate(prefetched(_tower_batch, seed, batch, steps)):
        set_rate(stages, lr * one_cycle(step, steps))
        patches = tower(visual, pixels)
        tokens = visual.merger(patches).view(batch, IMAGE_TOKENS, -1)
        loss, hits = head(patches, tokens, labels)
        loss.backward()
        for optimizer in stages:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen = hits if step == 0 else 0.95 * seen + 0.05 * hits
        if step % 20 == 0 or step == steps - 1:
            log(f"tower {step + 1}/{steps} loss {loss.item():.3f} cells of things {seen:.3f}")
    return head
