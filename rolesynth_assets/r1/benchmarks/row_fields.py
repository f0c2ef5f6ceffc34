"""What a row of a publisher's file means: options, answers, kinds of questions."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from rolesynth_assets.answers.options import LETTERS
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import R1BenchmarkError
from rolesynth_assets.r1.benchmarks.files import FileRow

IN_THE_IMAGE = "Answer the question that stands in the image."
"""What a policy is asked where the image itself holds the question."""


def with_options(question: str, choices: Sequence[str]) -> str:
    """Append the options to a question, one per line, as "A. text"."""
    lines = [f"{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False)]
    return "\n".join([question.strip(), *lines])


def kind_of(choices: Sequence[str]) -> TaskType:
    """Return how a question with these options is answered."""
    return TaskType.MCQ if choices else TaskType.OPEN_ENDED


def answer_of(row: FileRow, where: str, *names: str) -> str:
    """Return the reference of a row, from the first of some columns.

    Raises:
        R1BenchmarkError: there is none, since the publisher keeps it secret.
    """
    value = next((row[n] for n in names or ("answer",) if row.get(n) is not None), None)
    text = "" if value is None else str(value).strip()
    if not text or text == "?":  # MMMU's hidden test answers are question marks
        raise R1BenchmarkError(
            f"{where} has no answer: the publisher keeps the answers of this split secret; set "
            "`split` to one with answers (testmini, validation, val)."
        )
    return text


def listed(value: Any) -> list[str]:
    """Return a list, or a list spelled as text ("['a', 'b']"); empty for anything else."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    return [str(part) for part in value] if isinstance(value, list | tuple) else []
