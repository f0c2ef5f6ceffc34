"""MMMU: ``<Subject>/validation-*.parquet``, and MMMU-Pro's standard set of ten or of four options.

MMMU-Pro has two standard sets of the same questions, ``standard (10 options)/`` and ``standard
(4 options)/``. They are two benchmarks: the path of each names its folder. Its screenshots
are the layout ``mmmu_pro_vision``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem, R1BenchmarkError
from rolesynth_assets.r1.benchmarks.files import dataset_folder, read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import answer_of, kind_of, listed, with_options

USUAL_SPLIT = "validation"
VISION = "vision"


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read the questions of all subjects, images in ``image_1`` to ``image_7``.

    Raises:
        R1BenchmarkError: the folder has both standard sets, or only the questions in screenshots.
    """
    for row in read_rows(_one_set(dataset_folder(root)), split):
        where = f"MMMU {row.get('id')}"
        choices = listed(row.get("options"))
        cells = [row.get(f"image_{n}") for n in range(1, 8)]
        answers = listed(row.get("answer")) or [answer_of(row, where)]
        yield BenchmarkItem(
            item_id=str(row.get("id")),
            images=tuple(read_image(root, cell, where) for cell in cells if cell),
            question=with_options(row["question"], choices),
            answer=answers[0],
            task_type=kind_of(choices),
            accepted=tuple(answers[1:]),
        )


def _one_set(root: Path) -> Path:
    """Return the folder of the only standard set, or `root` if there is none."""
    if not root.is_dir():
        return root
    sets = sorted(path for path in root.iterdir() if path.is_dir() and _standard(path.name))
    if len(sets) > 1:
        names = " or ".join(repr(str(path)) for path in sets)
        raise R1BenchmarkError(
            f"{root} has {len(sets)} sets of the same questions: set `path` to {names}, and write "
            "one benchmark for each."
        )
    if not sets and (root.name == VISION or [p.name for p in root.iterdir()] == [VISION]):
        raise R1BenchmarkError(
            f"{root} has MMMU-Pro's questions in screenshots: set `layout` to mmmu_pro_vision."
        )
    return sets[0] if sets else root


def _standard(name: str) -> bool:
    return name.lower().startswith("standard")
