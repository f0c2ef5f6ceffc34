"""MathVerse: ``testmini.parquet``, or ``testmini.json`` with the images unpacked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.benchmarks.files import read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import IN_THE_IMAGE, answer_of

USUAL_SPLIT = "testmini"
_BARE_OPTION = re.compile(r"^([A-J]):(?=\S)", re.MULTILINE)


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read MathVerse: ``testmini.parquet``, or ``testmini.json`` with the images unpacked.

    If a version has the question only in the image, an instruction to read it there replaces it.
    """
    for row in read_rows(root, split):
        where = f"MathVerse {row.get('sample_index')}"
        shown = _BARE_OPTION.sub(r"\1: ", (row.get("question") or "").strip())
        full = _BARE_OPTION.sub(r"\1: ", (row.get("question_for_eval") or shown).strip())
        yield BenchmarkItem(
            item_id=str(row.get("sample_index")),
            images=(read_image(root, row.get("image"), where),),
            question=shown or IN_THE_IMAGE,
            answer=answer_of(row, where),
            task_type=TaskType.MCQ
            if row.get("question_type") == "multi-choice"
            else TaskType.OPEN_ENDED,
            graded_question=full,
        )
