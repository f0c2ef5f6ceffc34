"""Third training stage of the nano MLLM: scores for its own captions that rank them.

First the model learns to score captions that it wrote itself, whose truth is known, beside the
lessons of the stage before. A greedy score is then the likeliest one, so most captions get the same
score. In the second half the target is the *expected* score of a frozen copy of the model (the mean
of its distribution over 1-100). This distils the judge into itself; afterwards greedy scores rank
captions.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rolesynth_assets.captions.lengths import DEFAULT_POLICY
from rolesynth_assets.embedded.nano.engine import EmbeddedEngine
from rolesynth_assets.embedded.nano.tokenizer import load_tokenizer
from rolesynth_assets.embedded.world.scenes import draw, encode, sample_scene
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.nano_training.curriculum import CURRICULA, noisy_pixels, training_picture
from rolesynth_assets.nano_training.language_stage import (
    IGNORED,
    Batch,
    equipment,
    in_parts,
    reply_hidden,
    train_on_lessons,
)
from rolesynth_assets.nano_training.lessons import Lesson, Teacher, judge
from rolesynth_assets.nano_training.tower_stage import prefetched
from rolesynth_assets.pairs.judge import judge_prompt

POOL = "judge_pool.jsonl"
OFFSET = 2_000_000_000
"""First picture index of this stage."""
CAPTIONS_PER_SCENE = 8


def write_pool(folder: Path, scenes: int, seed: int) -> None:
    """Caption scenes with the model in `folder`, and store the captions beside it."""
    teacher, rng = Teacher(), random.Random(seed)
    requests, rows = [], {}
    for index in range(OFFSET, OFFSET + scenes):
        image = encode(draw(sample_scene(seed, index)))
        for _ in range(CAPTIONS_PER_SCENE):
            number = rng.randrange(len(teacher.roles))
            rule = rng.choice(list(DEFAULT_POLICY))
            role, key = teacher.roles[number][0], str(len(rows))
            rows[key] = {"index": index, "role": number}
            requests.append(
                ChatRequest(
                    key, role.system, role.prompt(rule.kind), rule.sampling, len(rows), (image,)
                )
            )

    async def answer() -> None:
        async for reply in EmbeddedEngine(folder).complete(requests):
            rows[reply.key]["text"] = reply.text

    asyncio.run(answer())
    lines = [json.dumps(row) for row in rows.values() if row["text"]]
    (folder / POOL).write_text("\n".join(lines) + "\n")


@cache
def _pool(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / POOL).read_text().splitlines()]


def judge_batch(folder: Path, seed: int, batch: int, step: int) -> list[Batch]:
    """Make the parts of batch `step`: half judgements of the pool, half lessons of stage two."""
    curriculum = CURRICULA["all"]
    tools = equipment(folder, curriculum)
    rng, noise = random.Random(f"judge-{seed}-{step}"), np.random.default_rng([seed, step])
    rows = rng.sample(_pool(folder), batch // 2)
    scenes = [sample_scene(seed, row["index"]) for row in rows]
    lessons = [
        _judgement(tools.teacher, row, scene) for row, scene in zip(rows, scenes, strict=True)
    ]
    unseen = OFFSET + 10_000_000 + step * batch
    others = [training_picture(seed, unseen + i, curriculum) for i in range(batch - len(rows))]
    lessons += [tools.teacher.lesson(picture, rng) for picture in others]
    pictures = [*scenes, *others]
    return in_parts(tools, lessons, pictures, noisy_pixels(pictures, noise))


def _judgement(teacher: Teacher, row: dict[str, Any], scene: Any) -> Lesson:
    prompt = judge_prompt()
    score, reason = judge(row["text"], scene, fits=True)
    role = teacher.roles[row["role"]][0]
    asked = prompt.render(role, row["text"], stand_in=True)
    return Lesson(prompt.system, asked, f"{score}\n{reason}")


def train_judge(
    model: Any,
    folder: Path,
    *,
    seed: int,
    steps: int,
    expected_steps: int,
    batch: int,
    lr: float,
    log: Callable[[str], None],
) -> None:
    """Train `model` in place: `steps` on true scores, then `expected_steps` on expected scores."""
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    scores = {n: tokenizer.token_to_id(str(n)) for n in range(1, 101)}
    scores = {n: token for n, token in scores.items() if token is not None}
    make = partial(judge_batch, folder)

    def learn(batches: Iterable[Sequence[Batch]], phase: str, count: int) -> None:
        train_on_lessons(model, batches, f"judge, {phase}", steps=count, lr=lr, log=log, warmup=20)

    learn(prefetched(make, seed, batch, steps), "truth", steps)
    frozen = copy.deepcopy(model).requires_grad_(False)
    learn(
        (
            [_expecting(frozen, part, scores) for part in parts]
            for parts in prefetched(make, seed + 1, batch, expected_steps)
        ),
        "means",
        expected_steps,
    )


@torch.no_grad()
def _expecting(frozen: Any, batch: Batch, scores: Mapping[int, int]) -> Batch:
    """Replace every target score by the score that the frozen model expects.

    Args:
        frozen: the model whose expected scores become the targets.
        batch: lessons.
        scores: token of each score that is a single token.
    """
    numbers, ids = torch.tensor(list(scores)), torch.tensor(list(scores.values()))
    is_score = torch.isin(batch.targets, ids)
    is_score &= is_score.cumsum(1) == 1  # only the first of a reply
    is_score &= (batch.targets != IGNORED).cumsum(1) == 1
    several = (batch.targets != IGNORED).sum(1, keepdim=True) > 3  # an answer "2" is not a score
    is_score &= several
    logits = frozen.lm_head(reply_hidden(frozen, batch)[is_score])[:, ids]
    expected = (logits.softmax(1) * numbers).sum(1)
    nearest = (numbers - expected[:, None]).abs().argmin(1)
    targets = batch.targets.clone()
    targets[is_score] = ids[nearest]
    return batch._replace(targets=targets)
