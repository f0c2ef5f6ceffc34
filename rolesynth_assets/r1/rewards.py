r"""The rewards of R1-SyntheticVL: 0.9 for the right answer, 0.1 for the form of the reply.

The form is ``<think>...</think>`` followed by one answer in ``\boxed{}``. `accuracy_reward` and
`format_reward` have the signature that TRL's `GRPOTrainer` calls.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rolesynth_assets.answers.extraction import MAX_CHARS, boxed_answer
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.mllm.control_tokens import restored

ACCURACY_WEIGHT = 0.9
FORMAT_WEIGHT = 0.1

_FORM = re.compile(r"\s*<think>(?P<thought>.*?)</think>(?P<rest>.*)", re.DOTALL)

Message = dict[str, Any]
"""One turn of a conversation, as TRL passes it: role and content."""


def is_right(reply: str, solution: str, task_type: TaskType, question: str) -> bool:
    """Return whether the boxed answer of a reply equals the reference, by rules alone.

    If the rules cannot decide, the answer counts as wrong: a vague answer must not get a reward.
    """
    from rolesynth_assets.answers.equality import equal_by_rule

    answer = boxed_answer(reply)
    return answer is not None and equal_by_rule(solution, answer, task_type, question) is True


def is_well_formed(reply: str) -> bool:
    r"""Return whether a reply has one non-empty thinking block and then one boxed answer."""
    if len(reply) > MAX_CHARS:
        return False
    match = _FORM.fullmatch(reply)
    if match is None or not match["thought"].strip():
        return False
    thought, rest = match["thought"], match["rest"]
    if "<think>" in thought or "<think>" in rest or "</think>" in rest:
        return False
    return rest.count("\\boxed") == 1 and boxed_answer(reply) is not None


def is_gradable(answer: str, task_type: TaskType, question: str) -> bool:
    r"""Return whether the reward accepts the reference itself as a boxed answer."""
    return is_right(f"\\boxed{{{answer}}}", answer, task_type, question)


def accuracy_reward(
    completions: Sequence[Sequence[Message]],
    solution: Sequence[str],
    task_type: Sequence[str],
    question: Sequence[str],
    **_: Any,
) -> list[float]:
    """Return 1 for every completion with the right boxed answer, 0 for the others.

    Args:
        completions: conversations of one assistant turn.
        solution: reference answers, one per completion.
        task_type: `TaskType` values, one per completion.
        question: the questions with their options, one per completion.
    """
    rows = zip(completions, solution, task_type, question, strict=True)
    return [
        float(is_right(restored(turns[-1]["content"], asked), gold, TaskType(kind), asked))
        for turns, gold, kind, asked in rows
    ]


def format_reward(completions: Sequence[Sequence[Message]], **_: Any) -> list[float]:
    """Return 1 for every completion of the requested form, 0 for the others."""
    return [float(is_well_formed(turns[-1]["content"])) for turns in completions]


def total_reward(reply: str, solution: str, task_type: TaskType, question: str) -> float:
    """Return the weighted sum of both rewards that the policy is trained on, 0 to 1."""
    right = is_right(reply, solution, task_type, question)
    return ACCURACY_WEIGHT * right + FORMAT_WEIGHT * is_well_formed(reply)
