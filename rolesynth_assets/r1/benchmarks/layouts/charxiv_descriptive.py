"""CharXiv's descriptive questions, four for each figure: ``data/descriptive_val.json``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem, R1BenchmarkError
from rolesynth_assets.r1.benchmarks.files import read_image, read_rows
from rolesynth_assets.r1.benchmarks.row_fields import answer_of

USUAL_SPLIT = "val"
MAX_CONSTANTS_BYTES = 2**20
"""The publisher's file has 40 kB."""


def read(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read CharXiv's descriptive questions, four per figure: ``data/descriptive_val.json``.

    The wording of the nineteen questions is read as data from the publisher's own
    ``src/constants.py``; nothing in it is run.
    """
    wording = _charxiv_wording(root)
    for row in read_rows(root, split, ("descriptive_{split}",)):
        figure, place = row["figure_id"], row.get("subplot_loc")
        image = read_image(root, f"{figure}.jpg", f"CharXiv {figure}")
        for number, (question, answer) in enumerate(zip(row["qids"], row["answers"], strict=True)):
            where = f"CharXiv {figure}_{number}"
            yield BenchmarkItem(
                item_id=f"{figure}_{number}",
                images=(image,),
                question=wording[question].replace("{}", _charxiv_place(place)).strip(),
                answer=answer_of({"answer": answer}, where),
                task_type=TaskType.OPEN_ENDED,
            )


def _charxiv_wording(root: Path) -> dict[int, str]:
    paths = [p for p in (root / "src" / "constants.py", root / "constants.py") if p.is_file()]
    if not paths:
        raise R1BenchmarkError(
            f"{root} lacks src/constants.py, which has the wording of CharXiv's descriptive "
            "questions: clone the publisher's repository there."
        )
    if paths[0].stat().st_size > MAX_CONSTANTS_BYTES:
        raise R1BenchmarkError(
            f"{paths[0]} has more than {MAX_CONSTANTS_BYTES} bytes, so it is not the publisher's; "
            "fetch it again."
        )
    try:
        return _wording_in(paths[0].read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, AttributeError, TypeError) as error:
        raise R1BenchmarkError(
            f"{paths[0]} has no readable descriptive questions ({error}); fetch it again."
        ) from error
    except (RecursionError, MemoryError) as error:  # of Python's parser, at deep nesting
        raise R1BenchmarkError(f"{paths[0]} nests too deep; fetch it again.") from error


def _wording_in(text: str) -> dict[int, str]:
    """Return the question of each number.

    Raises:
        ValueError, SyntaxError, AttributeError, TypeError: the text has no such table.
        RecursionError, MemoryError: it nests too deep.
    """
    for node in ast.parse(text).body:
        names = [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and "DESCRIPTIVE_RESP_INST" in names:
            return {int(number): str(text) for number, text in ast.literal_eval(node.value).items()}
    raise ValueError("DESCRIPTIVE_RESP_INST is missing")


def _charxiv_place(place: Any) -> str:
    if isinstance(place, str):
        return f"For {place}, "
    if not place or not place[0]:
        return "For the current plot, "
    return f"For the subplot at row {place[0]} and column {place[1]}, "
