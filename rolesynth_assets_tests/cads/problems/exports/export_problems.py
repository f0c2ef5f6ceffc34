"""Accepted problems to export, and the table that they come from."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.cads.problems.exports.accepted import AcceptedProblem
from rolesynth_assets.cads.strategies import PAPER_STRATEGIES
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.schemas import PROBLEMS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.cads.round_frames import picture

ANSWERS = ("7", "1/2", "red", "2\\sqrt{5}", "yes", "6.9")


def problem_row(number: int, **fields: Any) -> dict[str, Any]:
    """A kept row of the table `problems`; every third one is a multiple-choice problem."""
    choice = number % 3 == 0
    options = "\nA. one\nB. two\nC. three\nD. four" if choice else ""
    return {
        "problem_id": f"p{number:03d}",
        "domain": "counting",
        "round": "2026-01-05",
        "seed_id": f"s{number % 2}",
        "member": "ada",
        "question": f"What is shown at place {number}?{options}",
        "answer": "ABCD"[number % 4] if choice else ANSWERS[number % len(ANSWERS)],
        "solution": "Look there.",
        "strategy": PAPER_STRATEGIES[number % 4].name,
        "task_type": str(TaskType.MCQ if choice else TaskType.OPEN_ENDED),
        "consensus": 2,
        "judges": 3,
        "hard": True,
        "image_id": image_id(picture(number)),
        "image": picture(number),
        "kept": True,
        "reason": None,
        "detail": "",
    } | fields


def problem(number: int, **fields: Any) -> AcceptedProblem:
    row = problem_row(number, **fields)
    row = {name: row[name] for name in AcceptedProblem.__dataclass_fields__}
    row |= {"task_type": TaskType(row["task_type"])}
    return AcceptedProblem(**row)


def store_with(root: Path, rows: list[dict[str, Any]]) -> Store:
    store = Store(root)
    for domain in {row["domain"] for row in rows}:
        here = [row for row in rows if row["domain"] == domain]
        table = pa.Table.from_pylist(here, schema=PROBLEMS.schema)
        store.replace("problems", {"domain": domain}, table)
    return store
