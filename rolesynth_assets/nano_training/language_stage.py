"""Second training stage of the nano MLLM: the language model learns to answer on a trained tower.

The tower is frozen, so another process computes its image tokens ahead, together with the token ids
of the lessons. The loss is taken on the replies and on attention (`attention_targets`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn import functional

from rolesynth_assets.embedded.nano.architecture import embed, encode_images, rope_positions
from rolesynth_assets.embedded.nano.tokenizer import Chat, encode_chats, load_tokenizer, token_id
from rolesynth_assets.embedded.world.specification import Picture
from rolesynth_assets.nano_training.attention_targets import Gaze, Looks, looks, named_things
from rolesynth_assets.nano_training.curriculum import Curriculum, picture_batch
from rolesynth_assets.nano_training.lessons import Lesson, Teacher
from rolesynth_assets.nano_training.tower_stage import (
    one_cycle,
    optimizers,
    prefetched,
    set_rate,
)

IGNORED = -100
SEED_OFFSET = 1_000_000_000
"""First picture index of this stage; the tower was trained on pictures below it."""


class Batch(NamedTuple):
    """Lessons as the model reads them.

    Attributes:
        ids: token ids (n, length).
        targets: the ids shifted by one, `IGNORED` outside replies (n, length).
        image_tokens: tokens of the n images (n, 16, width).
        looks: attention targets of the words.
    """

    ids: torch.Tensor
    targets: torch.Tensor
    image_tokens: torch.Tensor
    looks: Looks


def encode_lessons(tokenizer: Tokenizer, lessons: Sequence[Lesson]) -> tuple[Any, Any]:
    """Return right-padded token ids and targets, both int (n, length)."""
    pad, end = token_id(tokenizer, "<|endoftext|>"), token_id(tokenizer, "<|im_end|>")
    asked = encode_chats(tokenizer, (Chat(x.system, x.prompt) for x in lessons))
    replies = tokenizer.encode_batch([x.reply for x in lessons])
    rows = [a + r.ids + [end] for a, r in zip(asked, replies, strict=True)]
    length = max(map(len, rows))
    ids = torch.full((len(rows), length), pad)
    targets = torch.full((len(rows), length), IGNORED)
    for i, (row, question) in enumerate(zip(rows, asked, strict=True)):
        ids[i, : len(row)] = torch.tensor(row)
        begin = len(question)
        targets[i, begin - 1 : len(row) - 1] = torch.tensor(row[begin:])
    return ids, targets


class Equipment(NamedTuple):
    """The data of a process that makes batches.

    Attributes:
        visual: vision tower.
        tokenizer: the model's tokenizer.
        names: see `named_things`.
        teacher: writes the lessons.
    """

    visual: Any
    tokenizer: Tokenizer
    names: dict[int, str]
    teacher: Teacher


@cache
def equipment(folder: Path, curriculum: Curriculum) -> Equipment:
    """Load the equipment of a process that makes batches, once."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    torch.set_num_threads(1)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    return Equipment(model.model.visual, tokenizer, named_things(tokenizer), Teacher(curriculum))


PARTS = 3
"""Parts into which the lessons of a step are divided by length, so that there is little padding."""


def lesson_batch(
    folder: Path, curriculum: Curriculum, seed: int, batch: int, step: int
) -> list[Batch]:
    """Make the parts of batch `step`: pictures, one lesson each, and their image tokens."""
    tools = equipment(folder, curriculum)
    rng = random.Random(f"{seed}-{step}")
    first = SEED_OFFSET + step * batch
    noise = np.random.default_rng([seed, step])
    pictures, pixels = picture_batch(seed, range(first, first + batch), noise, curriculum)
    return in_parts(tools, [tools.teacher.lesson(p, rng) for p in pictures], pictures, pixels)


def in_parts(
    tools: Equipment, lessons: Sequence[Lesson], pictures: Sequence[Picture], pixels: torch.Tensor
) -> list[Batch]:
    """Encode lessons and their pictures, sorted by length into `PARTS` batches."""
    tokenizer = tools.tokenizer
    lengths = [len(e.ids) for e in tokenizer.encode_batch([x.prompt + x.reply for x in lessons])]
    with torch.inference_mode():
        tokens = encode_images(tools.visual, pixels)
    image_token = token_id(tokenizer, "<|image_pad|>")
    batches = []
    for part in np.array_split(np.argsort(lengths), PARTS):
        ids, targets = encode_lessons(tokenizer, [lessons[i] for i in part])
        wanted = looks(ids, [pictures[i] for i in part], tools.names, image_token)
        batches.append(Batch(ids, targets, tokens[part].clone(), wanted))
    return batches


def reply_hidden(model: Any, batch: Batch) -> torch.Tensor:
    """Return the language model's last hidden states (n, length, width)."""
    return model.model.language_model(
        inputs_embeds=embed(model, batch.ids, batch.image_tokens),
        position_ids=rope_positions(batch.ids, model.config.image_token_id),
    ).last_hidden_state


def reply_loss(model: Any, batch: Batch) -> torch.Tensor:
    """Return the cross-entropy summed over the tokens of the replies."""
    hidden = reply_hidden(model, batch)
    taught = batch.targets != IGNORED
    logits = model.lm_head(hidden[taught])
    return functional.cross_entropy(logits, batch.targets[taught], reduction="sum")


LOOKING = 0.3
"""Weight of the mean attention loss of a word, relative to the mean loss of a reply's token."""


class Losses(NamedTuple):
    """Mean loss of a reply's token, and mean attention loss of a word."""

    reply: float
    look: float


def learn(model: Any, gaze: Gaze, stages: Sequence[Any], parts: Sequence[Batch]) -> Losses:
    """Make one optimiser step with `stages` on the parts of a batch; return the mean losses."""
    taught = sum(int((part.targets != IGNORED).sum()) for part in parts)
    words = max(1, sum(len(part.looks.rows) for part in parts))
    replies = seeing = 0.0
    for part in parts:
        reply = reply_loss(model, part) / taught
        look = gaze.loss(part.looks) / words
        (reply + LOOKING * look).backward()
        replies += reply.item()
        seeing += look.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in stages:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return Losses(replies, seeing)


class Smoothed:
    """Running means of the losses, for the log."""

    def __init__(self) -> None:
        self._mean: Losses | None = None

    def __call__(self, now: Losses) -> str:
        """Add new losses and return the means as text."""
        before = self._mean or now
        self._mean = Losses(*(0.95 * b + 0.05 * n for b, n in zip(before, now, strict=True)))
        return f"loss {self._mean.reply:.3f} looking {self._mean.look:.3f}"


def train_language(
    model: Any,
    folder: Path,
    curriculum: Curriculum,
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
    batches = prefetched(partial(lesson_batch, folder, curriculum), seed, batch, steps)
    train_on_lessons(model, batches, "language", steps=steps, lr=lr, log=log, save=save)


def train_on_lessons(
    model: Any,
    batches: Iterable[Sequence[Batch]],
    stage: str,
    *,
    steps: int,
    lr: float,
    log: Callable[[str], None],
    warmup: int = 60,
    save: Callable[[], None] = lambda: None,
) -> None:
    """Train all of `model` but its tower, in place.

    Args:
        model: the nano MLLM.
        batches: the parts of each step's batch.
        stage: name of the stage in the log.
        steps: number of batches.
        lr: highest learning rate.
        log: called with a line about the losses every 20 steps.
        warmup: steps until the highest learning rate is reached.
        save: called every 200 steps.
    """
    model.model.visual.requires_grad_(False)
    stages, gaze, smoothed = optimizers(model, [], lr), Gaze(model), Smoothed()
    for step, parts in enumerate(batches):
        set_rate(stages, lr * one_cycle(step, steps, warmup))
        losses = smoothed(learn(model, gaze, stages, parts))
        if step % 20 == 0 or step == steps - 1:
            log(f"{stage} {step + 1}/{steps} {losses}")
        if step % 200 == 199:
            save()
    gaze.close()
