"""Second training stage of the nano MLLM: the language model learns to answer over a seeing tower.

The tower is frozen, so its image tokens are made ahead, in another process, together with the
lessons' token ids. The loss is taken on the replies alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from rolesynth_assets.embedded.grounding import one_cycle, optimizers, prefetched, scene_batch
from rolesynth_assets.embedded.lessons import Lesson, Teacher
from rolesynth_assets.embedded.nano import embed, encode_images, rope_positions
from rolesynth_assets.embedded.tokenizer import chat_text, token_id

IGNORED = -100
SEED_OFFSET = 1_000_000_000
"""First scene index of this stage: none of the tower's scenes comes again."""


class Batch(NamedTuple):
    """Token ids (n, length), targets shifted by one and ignored outside replies, image tokens."""

    ids: torch.Tensor
    targets: torch.Tensor
    image_tokens: torch.Tensor


def encode_lessons(tokenizer: Tokenizer, lessons: Sequence[Lesson]) -> tuple[Any, Any]:
    """Return right-padded token ids and targets, both int (n, length)."""
    pad, end = token_id(tokenizer, "<|endoftext|>"), token_id(tokenizer, "<|im_end|>")
    asked = tokenizer.encode_batch([chat_text(x.system, x.prompt) for x in lessons])
    told = tokenizer.encode_batch([x.reply for x in lessons])
    rows = [a.ids + t.ids + [end] for a, t in zip(asked, told, strict=True)]
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad)
    targets = torch.full((len(rows), length), IGNORED)
    for i, (row, question) in enumerate(zip(rows, asked, strict=True)):
        ids[i, : len(row)] = torch.tensor(row)
        begin = len(question.ids)
        targets[i, begin - 1 : len(row) - 1] = torch.tensor(row[begin:])
    return ids, targets


@cache
def equipment(folder: Path) -> tuple[Any, Tokenizer, Teacher]:
    """Load what a batch-making process needs, once."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.set_num_threads(1)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return model.model.visual, tokenizer, Teacher()


PARTS = 3
"""A step's lessons are sorted by length and worked off in parts, so that little is padding."""


def lesson_batch(folder: Path, seed: int, batch: int, step: int) -> list[Batch]:
    """Make the parts of batch `step`: scenes, one lesson each, and their image tokens."""
    visual, tokenizer, teacher = equipment(folder)
    rng = random.Random(f"{seed}-{step}")
    first = SEED_OFFSET + step * batch
    noise = np.random.default_rng([seed, step])
    scenes, pixels = scene_batch(seed, range(first, first + batch), noise)
    lessons = [teacher.lesson(scene, rng) for scene in scenes]
    return in_parts(visual, tokenizer, lessons, pixels)


def in_parts(
    visual: Any, tokenizer: Tokenizer, lessons: Sequence[Lesson], pixels: torch.Tensor
) -> list[Batch]:
    """Encode lessons and their images, sorted by length into `PARTS` batches."""
    lengths = [len(e.ids) for e in tokenizer.encode_batch([x.prompt + x.reply for x in lessons])]
    with torch.inference_mode():
        tokens = encode_images(visual, pixels)
    return [
        Batch(*encode_lessons(tokenizer, [lessons[i] for i in part]), tokens[part].clone())
        for part in np.array_split(np.argsort(lengths), PARTS)
    ]


def reply_hidden(model: Any, batch: Batch) -> torch.Tensor:
    """Return the language model's last hidden states (n, length, width)."""
    return model.model.language_model(
        inputs_embeds=embed(model, batch.ids, batch.image_tokens),
        position_ids=rope_positions(batch.ids, model.config.image_token_id),
    ).last_hidden_state


def reply_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Summed cross-entropy over the tokens of the replies."""
    hidden = reply_hidden(model, batch)
    taught = batch.targets != IGNORED
    logits = model.lm_head(hidden[taught])
    return functional.cross_entropy(logits, batch.targets[taught], reduction="sum")


def learn(model: Any, stages: Sequence[Any], parts: Sequence[Batch]) -> float:
    """Take one step of the optimisers `stages` on a step's parts; return the mean loss a token."""
    taught = sum(int((part.targets != IGNORED).sum()) for part in parts)
    mean = 0.0
    for part in parts:
        loss = reply_loss(model, part) / taught
        loss.backward()
        mean += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in stages:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return mean


def train_language(
    model: Any,
    folder: Path,
    *,
    seed: int,
    steps: int,
    batch: int,
    lr: float,
    log: Callable[[str], None],
    save: Callable[[], None],
) -> None:
    """Train the language model of `model` in place, on the frozen tower stored in `folder`."""
    torch.manual_seed(seed)
    for parameter in model.model.visual.parameters():
        parameter.requires_grad_(False)
    stages = optimizers(model, [], lr)
    smooth = 0.0
    for step, parts in enumerate(prefetched(partial(lesson_batch, folder), seed, batch, steps)):
        for optimizer in stages:
            for group in optimizer.param_groups:
                group["lr"] = lr * one_cycle(step, steps)
        mean = learn(model, stages, parts)
        smooth = mean if step == 0 else 0.95 * smooth + 0.05 * mean
        if step % 20 == 0 or step == steps - 1:
            log(f"language {step + 1}/{steps} loss {smooth:.3f}")
        if step % 200 == 199:
            save()
