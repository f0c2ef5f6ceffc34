"""MMMU-Pro's questions in screenshots: ``vision/test-*.parquet``, one image with the question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem
from rolesynth_assets.r1.benchmarks.files import dataset_folder, read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import (
    IN_THE_IMAGE,
    answer_of,
    kind_of,
    listed,
    with_options,
)

USUAL_SPLIT = "test"


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read the screenshots; a policy is asked to read the question and its options there."""
    root = dataset_folder(root)
    folder = root / "vision" if (root / "vision").is_dir() else root
    for row in read_rows(folder, split):
        where = f"MMMU-Pro vision {row.get('id')}"
        choices = listed(row.get("options"))
        yield BenchmarkItem(
            item_id=str(row.get("id")),
            images=(read_image(root, row.get("image"), where),),
            question=IN_THE_IMAGE,
            answer=answer_of(row, where),
            task_type=kind_of(choices),
            graded_question=with_options(IN_THE_IMAGE, choices),
        )
