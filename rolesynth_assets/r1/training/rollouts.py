"""Replies to sample questions before and after a training, and from the saved checkpoint."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from rolesynth_assets.r1.data import TrainingData, TrainingItem
from rolesynth_assets.r1.recipe import R1Recipe
from rolesynth_assets.r1.rewards import total_reward
from rolesynth_assets.r1.training.checkpoint import (
    Rollout,
    policy_source,
    read_recipe,
    read_rollouts,
)
from rolesynth_assets.r1.training.policy import Policy, greedy_replies, load_policy

SAMPLES = 8
"""Questions answered before and after the training."""


def reload_replies(folder: Path) -> tuple[list[str], list[str]]:
    """Load a checkpoint and answer its sample questions again; return (stored, new) replies.

    Raises:
        CheckpointError: the checkpoint is unfinished or altered.
    """
    recipe, rollouts = read_recipe(folder), read_rollouts(folder)
    if not rollouts:
        return [], []
    policy = load_policy(policy_source(folder))
    again = _replies(recipe, policy, [(r.question, r.image) for r in rollouts])
    return [rollout.after for rollout in rollouts], again


def sample_items(data: TrainingData) -> list[TrainingItem]:
    """Return the sample questions, which are the same for every seed of a recipe."""
    return random.Random("r1 samples").sample(data.items, min(SAMPLES, len(data.items)))


def sample_replies(recipe: R1Recipe, policy: Policy, items: Sequence[TrainingItem]) -> list[str]:
    """Answer the sample questions greedily, one reply per item."""
    return _replies(recipe, policy, [(item.question, item.image) for item in items])


def compared(
    items: Sequence[TrainingItem], before: Sequence[str], after: Sequence[str]
) -> list[Rollout]:
    """Pair the replies of the untrained and the trained policy, with their rewards."""
    return [
        Rollout(
            item_id=item.item_id,
            question=item.question,
            image=item.image,
            solution=item.answer,
            task_type=str(item.task_type),
            before=first,
            after=second,
            reward_before=total_reward(first, item.answer, item.task_type, item.question),
            reward_after=total_reward(second, item.answer, item.task_type, item.question),
        )
        for item, first, second in zip(items, before, after, strict=True)
    ]


def _replies(recipe: R1Recipe, policy: Policy, asked: Sequence[tuple[str, bytes]]) -> list[str]:
    return greedy_replies(
        policy,
        [question for question, _ in asked],
        [[image] for _, image in asked],
        max_tokens=recipe.max_completion_tokens,
        batch=min(recipe.micro_batch, SAMPLES),
    )
