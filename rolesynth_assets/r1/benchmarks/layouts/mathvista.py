"""MathVista: ``data/testmini-*.parquet``, or ``testmini.json`` with ``images/``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.answers.options import LETTERS
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.benchmarks.files import read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import answer_of, kind_of, with_options

USUAL_SPLIT = "testmini"


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read MathVista: ``data/testmini-*.parquet``, or ``testmini.json`` with ``images/``."""
    for row in read_rows(root, split):
        where = f"MathVista {row.get('pid')}"
        choices = row.get("choices") or []
        answer = answer_of(row, where)
        if choices and answer in choices:
            answer = LETTERS[list(choices).index(answer)]
        unit = f" Give the answer in {row['unit']}." if row.get("unit") else ""
        precision = row.get("precision")
        yield BenchmarkItem(
            item_id=str(row.get("pid")),
            images=(read_image(root, row.get("decoded_image") or row.get("image"), where),),
            question=with_options(f"{row['question']}{unit}", choices),
            answer=answer,
            task_type=kind_of(choices),
            decimals=None if precision is None or choices else int(precision),
        )
