"""Export of problems for EasyR1: ``problem``, ``answer`` and ``images`` in Parquet.

Every version of EasyR1 reads Parquet, which needs no separate path to the images:
``data.train_files=FOLDER/train.parquet data.prompt_key=problem data.answer_key=answer
data.image_key=images``. Its checker is mathruler.
"""

from __future__ import annotations

from collections.abc import Iterable

from rolesynth_assets.answers.checker_process import Grader
from rolesynth_assets.answers.trainer_checkers import Checker
from rolesynth_assets.cads.problems.exports.accepted import AcceptedProblem, ExportError
from rolesynth_assets.cads.problems.exports.parquet import FILE, image_cell, write_parquet
from rolesynth_assets.files.atomic_files import replaced_folder
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.control_tokens import neutralise

IMAGE = "<image>"
"""Placeholder that EasyR1 replaces with an image."""


def export_easyr1(problems: Iterable[AcceptedProblem], folder: DataPath, grader: Grader) -> int:
    """Write the export, replacing an older one as a whole, and return its rows.

    Args:
        problems: kept problems.
        folder: folder for ``train.parquet`` and nothing else, because EasyR1 reads a folder as
            data.
        grader: the trainers' checkers; every answer is graded against itself once more.

    Raises:
        ExportError: there is no problem, or one that EasyR1 could not grade.
    """
    from datasets import Features, Image, List, Value

    features = Features(
        {"problem": Value("string"), "answer": Value("string"), "images": List(Image())}
    )
    with replaced_folder(folder) as draft:
        rows = (easyr1_row(problem, grader) for problem in problems)
        return write_parquet(draft / FILE, features, rows)


def easyr1_row(problem: AcceptedProblem, grader: Grader) -> dict[str, object]:
    """Return one row, whose problem has one ``<image>`` for its one image.

    EasyR1 tokenizes the problem, so control tokens in the question, and an ``<image>`` in it, are
    in neutral form (`control_tokens`).

    Raises:
        ExportError: EasyR1 could not grade its answer.
    """
    gold = grader.gold(problem.answer, problem.task_type, Checker.MATHRULER)
    if gold is None:
        raise ExportError(
            f"problem {problem.problem_id} is not fit for EasyR1: answer {problem.answer!r} is "
            "ungradable; materialize synthetic_problems again, which drops such problems with "
            "their reason"
        )
    return {
        "problem": f"{IMAGE}{neutralise(problem.question)}",
        "answer": gold,
        "images": [image_cell(problem)],
    }
