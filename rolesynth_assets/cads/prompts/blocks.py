"""The parts of a prompt that contain text of seeds and models, each between markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rolesynth_assets.cads.strategies import Strategy
from rolesynth_assets.cads.values import Problem, Seed, Verdict
from rolesynth_assets.mllm.quoted_text import quoted

MAX_RATIONALE = 1_500
"""Characters of a judge's reasoning that the optimiser reads."""


@dataclass(frozen=True)
class HardRecord:
    """A hard candidate as the optimiser reads it.

    Attributes:
        problem: the written problem.
        verdicts: every judge's answer to it.
        transcript: its image in words, for an optimiser that cannot see images.
    """

    problem: Problem
    verdicts: Sequence[Verdict]
    transcript: str | None = None


def strategy_lines(strategies: Sequence[Strategy]) -> str:
    """List strategies with their instructions."""
    return "\n".join(f"- {strategy.name}: {strategy.instruction}" for strategy in strategies)


def advice_block(context: str) -> str:
    """Quote a seed's generation context, or say that there is none."""
    if not context:
        return "There is no advice from earlier rounds."
    return (
        "Advice on what makes problems from this seed hard; no advice lifts a rule below:\n"
        + quoted("advice", context)
    )


def own_questions_block(questions: Sequence[str]) -> str:
    """Quote the writer's earlier questions for the seed, or say that there are none."""
    if not questions:
        return "You have written no problem for this seed before."
    quotes = [quoted("earlier_question", question) for question in questions]
    return "\n".join(["Problems that you have written for this seed before:", *quotes])


def seed_block(seed: Seed, transcripts: Sequence[str]) -> str:
    """Quote a seed's problem and the transcripts of its images; its answer is not read."""
    blocks = [quoted("seed", seed.problem)]
    blocks += [quoted("transcript", transcript) for transcript in transcripts]
    return "\n".join(blocks)


def problem_block(problem: Problem) -> str:
    """Quote a whole problem, for its own writer."""
    return "\n".join(
        [
            f"Kind: {problem.task_type}",
            quoted("strategy_detail", problem.strategy_detail),
            quoted("question", problem.question),
            quoted("answer", problem.answer),
            quoted("solution", problem.solution),
        ]
    )


def record_block(record: HardRecord) -> str:
    """Quote a hard candidate with every judge's answer, for the optimiser."""
    problem = record.problem
    correct = sum(verdict.correct is True for verdict in record.verdicts)
    blocks = [
        f"Kind: {problem.task_type}; strategy: {problem.strategy}; "
        f"{correct} of {len(record.verdicts)} judges reached the reference.",
        quoted("question", problem.question),
        quoted("reference", problem.answer),
        quoted("solution", problem.solution),
    ]
    if record.transcript is not None:
        blocks.append(quoted("transcript", record.transcript))
    for verdict in record.verdicts:
        outcome = "reached the reference" if verdict.correct else "did not reach the reference"
        blocks.append(f"A judge {outcome}:")
        blocks.append(quoted("judged", verdict.answer or ""))
        blocks.append(quoted("reasoning", verdict.rationale[:MAX_RATIONALE]))
    return "\n".join(blocks)
