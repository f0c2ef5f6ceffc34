"""Readers of benchmark items, one for each publisher's layout.

Answers are graded by rules. If the publisher grades with a model (MathVista's extraction, CharXiv),
free text counts as wrong unless the rules find it right, so scores can only be lower than the
publisher's, never higher.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rolesynth_assets.answers.options import LETTERS
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.r1.benchmarks.definition import BenchmarkItem, R1BenchmarkError
from rolesynth_assets.r1.benchmarks.files import FileRow, read_image, read_rows

IN_THE_IMAGE = "Answer the question that stands in the image."
_BARE_OPTION = re.compile(r"^([A-J]):(?=\S)", re.MULTILINE)


def mathvista(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read MathVista: ``data/testmini-*.parquet``, or ``testmini.json`` with ``images/``."""
    for row in read_rows(root, split):
        where = f"MathVista {row.get('pid')}"
        choices = row.get("choices") or []
        answer = _answer(row, where)
        if choices and answer in choices:
            answer = LETTERS[list(choices).index(answer)]
        unit = f" Give the answer in {row['unit']}." if row.get("unit") else ""
        precision = row.get("precision")
        yield BenchmarkItem(
            item_id=str(row.get("pid")),
            images=(read_image(root, row.get("decoded_image") or row.get("image"), where),),
            question=with_options(f"{row['question']}{unit}", choices),
            answer=answer,
            task_type=_kind(choices),
            decimals=None if precision is None or choices else int(precision),
        )


def mathverse(root: Path, split: str) -> Iterator[BenchmarkItem]:
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
            answer=_answer(row, where),
            task_type=TaskType.MCQ
            if row.get("question_type") == "multi-choice"
            else TaskType.OPEN_ENDED,
            graded_question=full,
        )


def mathvision(root: Path, split: str) -> Iterator[BenchmarkItem]:
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
            answer=_answer(row, where),
            task_type=_kind(choices),
        )


def mmmu(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read MMMU: ``<Subject>/validation-*.parquet``, images in ``image_1`` to ``image_7``."""
    for row in read_rows(root, split):
        where = f"MMMU {row.get('id')}"
        choices = _listed(row.get("options"))
        cells = [row.get(f"image_{n}") for n in range(1, 8)]
        answers = _listed(row.get("answer")) or [_answer(row, where)]
        yield BenchmarkItem(
            item_id=str(row.get("id")),
            images=tuple(read_image(root, cell, where) for cell in cells if cell),
            question=with_options(row["question"], choices),
            answer=answers[0],
            task_type=_kind(choices),
            accepted=tuple(answers[1:]),
        )


def charxiv_reasoning(root: Path, split: str) -> Iterator[BenchmarkItem]:
    """Read CharXiv's reasoning questions: ``data/reasoning_val.json`` and ``images/<id>.jpg``."""
    for row in read_rows(root, split, ("reasoning_{split}", "{split}")):
        figure = row.get("figure_id", row.get("original_id"))
        where = f"CharXiv {figure}"
        yield BenchmarkItem(
            item_id=str(figure),
            images=(read_image(root, row.get("image") or f"{figure}.jpg", where),),
            question=row.get("query") or row["reasoning_q"],
            answer=_answer(row, where, "answer", "reasoning_a"),
            task_type=TaskType.OPEN_ENDED,
        )


def charxiv_descriptive(root: Path, split: str) -> Iterator[BenchmarkItem]:
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
                answer=_answer({"answer": answer}, where),
                task_type=TaskType.OPEN_ENDED,
            )


def with_options(question: str, choices: Sequence[str]) -> str:
    """Append the options to a question, one per line, as "A. text"."""
    lines = [f"{letter}. {text}" for letter, text in zip(LETTERS, choices, strict=False)]
    return "\n".join([question.strip(), *lines])


def _kind(choices: Sequence[str]) -> TaskType:
    return TaskType.MCQ if choices else TaskType.OPEN_ENDED


def _answer(row: FileRow, where: str, *names: str) -> str:
    value = next((row[n] for n in names or ("answer",) if row.get(n) is not None), None)
    text = "" if value is None else str(value).strip()
    if not text or text == "?":  # MMMU's hidden test answers are question marks
        raise R1BenchmarkError(
            f"{where} has no answer: the publisher keeps the answers of this split secret; set "
            "`split` to one with answers (testmini, validation, val)."
        )
    return text


def _listed(value: Any) -> list[str]:
    """Return a list, or a list spelled as text ("['a', 'b']"); empty for anything else."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return []
    return [str(part) for part in value] if isinstance(value, list | tuple) else []


def _charxiv_wording(root: Path) -> dict[int, str]:
    paths = [p for p in (root / "src" / "constants.py", root / "constants.py") if p.is_file()]
    if not paths:
        raise R1BenchmarkError(
            f"{root} lacks src/constants.py, which has the wording of CharXiv's descriptive "
            "questions: clone the publisher's repository there."
        )
    for node in ast.parse(paths[0].read_text(encoding="utf-8")).body:
        names = [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and "DESCRIPTIVE_RESP_INST" in names:
            return {int(number): str(text) for number, text in ast.literal_eval(node.value).items()}
    raise R1BenchmarkError(f"{paths[0]} has no descriptive questions; fetch it again.")


def _charxiv_place(place: Any) -> str:
    if isinstance(place, str):
        return f"For {place}, "
    if not place or not place[0]:
        return "For the current plot, "
    return f"For the subplot at row {place[0]} and column {place[1]}, "
