"""Export of problems for TRL's trainers: ``prompt`` (conversational), ``image``, ``solution``.

``datasets.load_dataset("parquet", data_files="FOLDER/train.parquet")`` gives a data set for
`GRPOTrainer` with ``trl.rewards.accuracy_reward``, whose checker is math-verify.
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


def export_trl(
    problems: Iterable[AcceptedProblem], folder: DataPath, grader: Grader, *, system: str
) -> int:
    """Write the export, replacing an older one as a whole, and return its rows.

    Args:
        problems: kept problems.
        folder: folder for ``train.parquet``.
        grader: the trainers' checkers, which spell each answer so that math-verify reads it.
        system: system text of every prompt; it has to ask for the answer in a box, where the reward
            looks for it. The user text is the question alone.

    Raises:
        ExportError: there is no problem, one that TRL could not grade, or no box is asked for.
    """
    from datasets import Features, Image, List, Value

    if r"\boxed" not in system:
        raise ExportError(rf"the system text does not ask for \boxed{{}}: {system!r}")
    turn = {"role": Value("string"), "content": Value("string")}
    features = Features({"prompt": List(turn), "image": Image(), "solution": Value("string")})
    with replaced_folder(folder) as draft:
        rows = (trl_row(problem, grader, system) for problem in problems)
        return write_parquet(draft / FILE, features, rows)


def trl_row(problem: AcceptedProblem, grader: Grader, system: str) -> dict[str, object]:
    """Return one row; the trainer itself puts the image before the question.

    The trainer tokenizes the prompt, so the question is in neutral form (`control_tokens`).

    Raises:
        ExportError: TRL's reward could not grade its answer.
    """
    gold = grader.gold(problem.answer, problem.task_type, Checker.MATH_VERIFY)
    if gold is None:
        raise ExportError(
            f"problem {problem.problem_id} is not fit for TRL: math-verify cannot grade "
            f"{problem.answer!r}; materialize synthetic_problems again, which drops such problems"
        )
    return {
        "prompt": [
            {"role": "system", "content": system},
            {"role": "user", "content": neutralise(problem.question)},
        ],
        "image": image_cell(problem),
        "solution": gold,
    }
