"""Evaluation of a policy on a benchmark: greedy answers, accuracy with its interval, and chance."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.answers.equality import equal_by_rule
from rolesynth_assets.answers.extraction import final_answer
from rolesynth_assets.benchmarks.intervals.bootstrap import Interval, bootstrap_mean
from rolesynth_assets.benchmarks.score import measured_frame
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.files.whole_folders import local_folder
from rolesynth_assets.mllm.engine import (
    ChatEngine,
    ChatReply,
    ChatRequest,
    FailureReason,
    Sampling,
)
from rolesynth_assets.progress import Progress
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem, chance_level
from rolesynth_assets.r1.prompt import system_prompt
from rolesynth_assets.r1.recipe import Rollouts
from rolesynth_assets.r1.rewards import is_well_formed
from rolesynth_assets.r1.training.checkpoint import policy_source, read_provenance, read_recipe
from rolesynth_assets.r1.training.policy import greedy_replies, is_nano, load_policy

if TYPE_CHECKING:
    import polars as pl


BATCH = 256
"""Items answered at once, so that progress can be reported in between."""


class R1Metric(StrEnum):
    """The metrics of a policy on a benchmark."""

    ACCURACY = "accuracy"
    """Share of right answers."""
    WELL_FORMED = "well_formed"
    """Share of replies with the form that the format reward requires."""


@dataclass(frozen=True)
class Answered:
    """A policy's reply to one benchmark item; `answer` is None if the reply contains none."""

    item_id: str
    reply: str
    answer: str | None
    correct: bool
    well_formed: bool


@dataclass(frozen=True)
class Evaluation:
    """A policy's result on a benchmark.

    Attributes:
        answered: one entry per item, in the order of the items.
        accuracy: share of right answers, with a bootstrap interval over items.
        well_formed: share of well-formed replies, with a bootstrap interval over items.
        chance: accuracy without the image, see `definition.chance_level`.
    """

    answered: tuple[Answered, ...]
    accuracy: Interval
    well_formed: Interval
    chance: float


def evaluate(
    folder: Path, items: Sequence[BenchmarkItem], *, progress: Progress | None = None
) -> Evaluation:
    """Answer a benchmark greedily with a finished checkpoint and grade the answers by rules.

    A nano policy answers through the embedded engine, a policy whose recipe uses vLLM through vLLM,
    and any other through transformers.

    Args:
        folder: the checkpoint.
        items: the items, at least one.
        progress: called after every `BATCH` items.

    Raises:
        CheckpointError: the checkpoint is unfinished or altered.
        EngineError: the engine cannot be started.
        ValueError: there is no item.
    """
    replies = _replies(folder, items, progress or (lambda done, total: None))
    return graded(items, replies)


def evaluate_seed(
    folder: DataPath,
    items: Sequence[BenchmarkItem],
    benchmark: str,
    *,
    run_id: str = "",
    progress: Progress | None = None,
) -> pl.DataFrame:
    """Measure a finished checkpoint; return rows of the small table `r1_scores`.

    Args:
        folder: the checkpoint, which names its recipe and seed.
        items: of the benchmark, at least one.
        benchmark: its name.
        run_id: the run that measures.
        progress: called now and then.
    """
    here = local_folder(folder)
    made = read_provenance(here)
    return scores_frame(
        evaluate(here, items, progress=progress),
        recipe=made.recipe,
        seed=made.seed,
        benchmark=benchmark,
        checkpoint_digest=made.weights_digest,
        run_id=run_id,
    )


def graded(items: Sequence[BenchmarkItem], replies: Sequence[str]) -> Evaluation:
    """Grade one reply per item; if the rules cannot decide, the answer counts as wrong.

    Raises:
        ValueError: there is no item, or items and replies differ in number.
    """
    import numpy as np

    answered = [_graded(item, reply) for item, reply in zip(items, replies, strict=True)]
    return Evaluation(
        answered=tuple(answered),
        accuracy=bootstrap_mean(np.asarray([a.correct for a in answered], float)),
        well_formed=bootstrap_mean(np.asarray([a.well_formed for a in answered], float)),
        chance=chance_level(items),
    )


def scores_frame(
    evaluation: Evaluation,
    *,
    recipe: str,
    seed: int,
    benchmark: str,
    checkpoint_digest: str = "",
    run_id: str = "",
) -> pl.DataFrame:
    """Return an evaluation as rows of the small table `r1_scores`, one per metric."""
    measured: list[tuple[R1Metric, Interval, float | None]] = [
        (R1Metric.ACCURACY, evaluation.accuracy, evaluation.chance),
        (R1Metric.WELL_FORMED, evaluation.well_formed, None),
    ]
    return measured_frame(
        [
            (str(metric), i.value, i.low, i.high, chance, len(evaluation.answered))
            for metric, i, chance in measured
        ],
        recipe=recipe,
        seed=seed,
        benchmark=benchmark,
        checkpoint_digest=checkpoint_digest,
        run_id=run_id,
    )


def _graded(item: BenchmarkItem, reply: str) -> Answered:
    answer = final_answer(reply, item.task_type)
    correct = answer is not None and any(
        _equal(item, reference, answer) for reference in (item.answer, *item.accepted)
    )
    return Answered(item.item_id, reply, answer, correct, is_well_formed(reply))


def _equal(item: BenchmarkItem, reference: str, answer: str) -> bool:
    if item.decimals is not None:
        try:
            answer = f"{round(float(answer.replace(',', '')), item.decimals):.{item.decimals}f}"
        except (ValueError, OverflowError):
            pass  # not a plain number: compared unchanged
    return equal_by_rule(reference, answer, item.task_type, item.full_question) is True


def _replies(folder: Path, items: Sequence[BenchmarkItem], progress: Progress) -> list[str]:
    recipe, source = read_recipe(folder), policy_source(folder)
    engine = _engine(folder, source)
    policy = load_policy(source, recipe.revision) if engine is None else None
    if policy is not None:
        import torch

        policy.model.to("cuda" if torch.cuda.is_available() else "cpu")
    replies: list[str] = []
    for start in range(0, len(items), BATCH):
        part = items[start : start + BATCH]
        if engine is not None:
            replies += asyncio.run(_asked(engine, part, recipe.max_completion_tokens))
        elif policy is not None:
            replies += greedy_replies(
                policy,
                [item.question for item in part],
                [item.images for item in part],
                max_tokens=recipe.max_completion_tokens,
                batch=recipe.micro_batch,
            )
        progress(len(replies), len(items))
    return replies


def _engine(folder: Path, source: str) -> ChatEngine | None:
    """Return the engine that answers for a policy; None if transformers does."""
    if is_nano(Path(source)):
        from rolesynth_assets.embedded.nano.engine import EmbeddedEngine

        return EmbeddedEngine(Path(source))
    recipe = read_recipe(folder)
    if recipe.vllm is Rollouts.OFF:
        return None
    from rolesynth_assets.mllm.factory import make_engine
    from rolesynth_assets.mllm.settings import EngineSettings

    revision = None if Path(source).is_dir() else recipe.revision
    return make_engine(EngineSettings(engine="vllm", model=source, revision=revision))


async def _asked(engine: ChatEngine, items: Sequence[BenchmarkItem], max_tokens: int) -> list[str]:
    requests = [
        ChatRequest(
            key=str(number),
            system=system_prompt(),
            prompt=item.question,
            sampling=Sampling(temperature=0.0, top_p=1.0, max_tokens=max_tokens),
            seed=0,
            images=item.images,
        )
        for number, item in enumerate(items)
    ]
    said = {reply.key: reply async for reply in engine.complete(requests)}
    return [_text(said[request.key]) for request in requests]


def _text(reply: ChatReply) -> str:
    """Return the text of a reply; a truncated reply has it in its detail."""
    return reply.text or (reply.detail if reply.reason is FailureReason.TRUNCATED else "")
