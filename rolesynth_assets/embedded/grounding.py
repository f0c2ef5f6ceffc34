"""First training stage of the nano MLLM: the vision tower learns what stands in each cell.

With the language loss alone the model stays blind. Dense labels per merged patch (which object or
background the cell shows, and whether an object's centre is in it, small or large) teach the tower
to see; the language model is trained on top of it afterwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

from rolesynth_assets.embedded.kinds import KINDS
from rolesynth_assets.embedded.nano import (
    GRID,
    IMAGE_TOKENS,
    MERGE,
    PATCH,
    encode_patches,
    normalise,
    to_patches,
)
from rolesynth_assets.embedded.scenes import (
    CANVAS,
    POSITIONS,
    SIDES,
    Background,
    Scene,
    Size,
    draw_halved,
    sample_scene,
)

CELLS = GRID // MERGE
NOTHING, SMALL, LARGE = 0, 1, 2


def shown_in_grid(scene: Scene, grid: int) -> np.ndarray:
    """Return what each cell of a ``grid x grid`` shows, int (grid, grid).

    An object's kind where it covers most of the cell and at least a fifth; else the background,
    numbered after the kinds.
    """
    cell = CANVAS // grid
    edges = np.arange(grid) * cell
    shown = np.full((grid, grid), len(KINDS) + list(Background).index(scene.background))
    best = np.full((grid, grid), 0.2)
    for item in scene.objects:
        half = SIDES[item.size] // 2
        across, down = (
            np.clip(np.minimum(edges + cell, at + half) - np.maximum(edges, at - half), 0, None)
            for at in (item.x, item.y)
        )
        share = np.outer(down, across) / cell**2
        shown[share > best] = item.kind_index
        best = np.maximum(best, share)
    return shown


def centres(scene: Scene) -> np.ndarray:
    """Return whether an object's centre lies in each merged cell, and its size, int (16,)."""
    cell = CANVAS // CELLS
    labels = np.full(IMAGE_TOKENS, NOTHING)
    for item in scene.objects:
        labels[item.y // cell * CELLS + item.x // cell] = (
            LARGE if item.size is Size.LARGE else SMALL
        )
    return labels


def positions(scene: Scene) -> np.ndarray:
    """Return the position of the object centred in each merged cell, int (16,); 9 is none."""
    cell = CANVAS // CELLS
    labels = np.full(IMAGE_TOKENS, len(POSITIONS))
    for item in scene.objects:
        labels[item.y // cell * CELLS + item.x // cell] = POSITIONS.index(item.position)
    return labels


class GroundingHead(nn.Module):
    """Read-outs of the dense labels, per patch and per merged cell; for training only.

    What a cell shows is read by comparing its token with the language model's embeddings of the
    words for it. An image token then lies near its word, and finding the thing that a text speaks
    of is a comparison that attention makes easily. Rotary positions are relative: unasked, a token
    does not know where it stands, so its place is read out too.
    """

    def __init__(self, patch_width: int, words: torch.Tensor) -> None:
        """Make the read-outs; `words` are embeddings (kinds + backgrounds, token width)."""
        super().__init__()
        labels, width = words.shape
        self.patch_shown = nn.Linear(patch_width, labels)
        self.words = nn.Buffer(functional.normalize(words.detach().clone(), dim=1))
        self.sharpness = nn.Parameter(torch.tensor(12.0))
        self.cell_centre = nn.Linear(width, 3)
        self.cell_place = nn.Linear(width, IMAGE_TOKENS)
        self.cell_position = nn.Linear(width, len(POSITIONS) + 1)

    def forward(
        self, patches: torch.Tensor, tokens: torch.Tensor, scenes: list[Scene]
    ) -> tuple[torch.Tensor, float]:
        """Return the loss and the accuracy on the cells that show an object.

        Args:
            patches: the tower's output before the merger, (n, 64, patch width).
            tokens: image tokens, (n, 16, token width).
            scenes: the n scenes.
        """
        fine = torch.from_numpy(np.stack([shown_in_grid(s, GRID) for s in scenes]))
        # the tower's patch order: merged cell by merged cell
        fine = fine.view(-1, CELLS, MERGE, CELLS, MERGE).transpose(2, 3).flatten()
        coarse = torch.from_numpy(np.stack([shown_in_grid(s, CELLS) for s in scenes])).flatten()
        centre = torch.from_numpy(np.stack([centres(s) for s in scenes])).flatten()
        position = torch.from_numpy(np.stack([positions(s) for s in scenes])).flatten()
        place = torch.arange(IMAGE_TOKENS).repeat(len(scenes))
        tokens = tokens.flatten(0, 1)
        logits = self.sharpness * functional.normalize(tokens, dim=1) @ self.words.T
        loss = (
            _shown_loss(self.patch_shown(patches).flatten(0, 1), fine)
            + _shown_loss(logits, coarse)
            + 0.5 * functional.cross_entropy(self.cell_centre(tokens), centre)
            + 0.5 * functional.cross_entropy(self.cell_position(tokens), position)
            + 0.2 * functional.cross_entropy(self.cell_place(tokens), place)
        )
        is_object = coarse < len(KINDS)
        return loss, (logits.argmax(1) == coarse)[is_object].float().mean().item()


def word_embeddings(model: Any, tokenizer: Tokenizer) -> torch.Tensor:
    """Return the embeddings of the words for all kinds and backgrounds, (56, token width)."""
    nouns = [f" {kind.noun}" for kind in KINDS] + [f" {place}" for place in Background]
    ids = [tokenizer.encode(noun).ids for noun in nouns]
    split = [noun for noun, parts in zip(nouns, ids, strict=True) if len(parts) != 1]
    if split:
        raise ValueError(f"these words are no single tokens: {split}")
    return model.get_input_embeddings().weight[[parts[0] for parts in ids]]


def _shown_loss(logits: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
    weight = torch.where(shown < len(KINDS), 1.0, 0.3)  # most cells are background
    return (functional.cross_entropy(logits, shown, reduction="none") * weight).mean()


def whiten_patches(visual: Any, seed: int) -> None:
    """Set the patch embedding to the whitened principal components of the world's patches."""
    _, pixels = scene_batch(seed, range(2000), np.random.default_rng(seed))
    patches = to_patches(pixels).flatten(0, 1)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    width = visual.patch_embed.proj.out_channels
    basis = vectors[:, -width:].T / (values[-width:, None] + 0.02).sqrt()
    weight = basis.view(width, 3, 1, PATCH, PATCH) / 2  # halved: the image stands in both frames
    visual.patch_embed.proj.weight.data.copy_(weight.expand_as(visual.patch_embed.proj.weight))


def scene_batch(
    seed: int, indices: Iterable[int], noise: np.random.Generator
) -> tuple[list[Scene], torch.Tensor]:
    """Return scenes and their pixels, normalised (n, 3, 112, 112), with the noise of a JPEG."""
    scenes = [sample_scene(seed, i) for i in indices]
    drawn = np.stack([draw_halved(s) for s in scenes])
    drawn += noise.normal(0, 2.5, drawn.shape).astype(np.float32)
    return scenes, normalise(torch.from_numpy(drawn))


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


def _tower_batch(seed: int, batch: int, step: int) -> tuple[list[Scene], torch.Tensor]:
    indices = range(step * batch, (step + 1) * batch)
    return scene_batch(seed, indices, np.random.default_rng([seed, step]))


def prefetched(
    make: Callable[[int, int, int], Any], seed: int, batch: int, steps: int
) -> Iterator[Any]:
    """Yield ``make(seed, batch, step)`` for each step, made ahead in another process."""
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
    """Train the vision tower of `model` in place on dense labels; return the read-out head."""
    torch.manual_seed(seed)
    visual = model.model.visual
    head = GroundingHead(model.config.vision_config.hidden_size, word_embeddings(model, tokenizer))
    tower = torch.compile(encode_patches)
    stages = optimizers(visual, list(head.parameters()), lr)
    seen = 0.0
    for step, (scenes, pixels) in enumerate(prefetched(_tower_batch, seed, batch, steps)):
        for optimizer in stages:
            for group in optimizer.param_groups:
                group["lr"] = lr * one_cycle(step, steps)
        patches = tower(visual, pixels)
        tokens = visual.merger(patches).view(batch, IMAGE_TOKENS, -1)
        loss, hits = head(patches, tokens, scenes)
        loss.backward()
        for optimizer in stages:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        seen = hits if step == 0 else 0.95 * seen + 0.05 * hits
        if step % 20 == 0 or step == steps - 1:
            log(f"tower {step + 1}/{steps} loss {loss.item():.3f} object cells {seen:.3f}")
    return head
