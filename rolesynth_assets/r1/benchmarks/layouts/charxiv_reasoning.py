"""CharXiv's reasoning questions: ``data/reasoning_val.json``, ``images/<id>.jpg``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.benchmarks.files import read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import answer_of

USUAL_SPLIT = "val"


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read CharXiv's reasoning questions: ``data/reasoning_val.json`` and ``images/<id>.jpg``."""
    for row in read_rows(root, split, ("reasoning_{split}", "{split}")):
        figure = row.get("figure_id", row.get("original_id"))
        where = f"CharXiv {figure}"
        yield BenchmarkItem(
            item_id=str(figure),
            images=(read_image(root, row.get("image") or f"{figure}.jpg", where),),
            question=row.get("query") or row["reasoning_q"],
            answer=answer_of(row, where, "answer", "reasoning_a"),
            task_type=TaskType.OPEN_ENDED,
        )
