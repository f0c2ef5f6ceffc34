"""MATH-Vision: ``data/testmini-*.parquet``, or ``data/testmini.jsonl`` with ``images/``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.benchmarks.files import read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import answer_of, kind_of, with_options

USUAL_SPLIT = "testmini"


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read MATH-Vision: ``data/testmini-*.parquet``, or ``data/testmini.jsonl`` with ``images/``.

    All pictures of a question are one image; marks such as ``<image1>`` give the places of its
    parts.
    """
    for row in read_rows(root, split):
        where = f"MATH-Vision {row.get('id')}"
        choices = row.get("options") or []
        yield BenchmarkItem(
            item_id=str(row.get("id")),
            images=(read_image(root, row.get("decoded_image") or row.get("image"), where),),
            question=with_options(row["question"], choices),
            answer=answer_of(row, where),
            task_type=kind_of(choices),
        )
