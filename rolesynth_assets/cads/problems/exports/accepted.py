"""The problems that an export may contain, which are those that the selection kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from rolesynth_assets.answers.task_type import TaskType

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

PROBLEMS_AT_ONCE = 128  # images held in memory while streaming


class ExportError(ValueError):
    """There is nothing to export, or something that must not be."""


@dataclass(frozen=True)
class AcceptedProblem:
    """One kept row of the table ``problems``: an accepted synthetic triple.

    Attributes:
        problem_id: the candidate's id, by which it can be traced.
        domain: partition.
        round: round in which it was accepted.
        seed_id: seed from which it was made.
        member: the member that wrote it.
        question: the question, without any placeholder for the image.
        answer: the bare answer.
        solution: the writer's worked solution.
        strategy: name of its strategy.
        task_type: how it is answered.
        consensus: C.
        judges: K.
        hard: whether 1 <= C < K.
        image_id: sha256 of the image.
        image: the encoded image.
    """

    problem_id: str
    domain: str
    round: str
    seed_id: str
    member: str
    question: str
    answer: str
    solution: str
    strategy: str
    task_type: TaskType
    consensus: int
    judges: int
    hard: bool
    image_id: str
    image: bytes

    def __post_init__(self) -> None:
        """Refuse values that no accepted triple has (CADS, judging: 1 <= C <= K)."""
        broken = [
            name
            for name in ("question", "answer", "image", "problem_id")
            if not getattr(self, name)
        ]
        if not 1 <= self.consensus <= self.judges:
            broken.append(f"1 <= C <= K (C = {self.consensus}, K = {self.judges})")
        if broken:
            raise ExportError(
                f"problem {self.problem_id!r} of domain {self.domain!r} is not an accepted triple: "
                f"it lacks {', '.join(broken)}; materialize synthetic_problems again"
            )


def accepted_problems(
    store: StoreReader, domain: str, version: int | None = None
) -> Iterator[AcceptedProblem]:
    """Stream the kept problems of a domain by problem id, so that a rerun writes the same files.

    Args:
        store: store with the table ``problems``.
        domain: partition.
        version: Lance version to read; None is the latest at the time of the first problem.

    Raises:
        ExportError: the domain has no kept problem.
    """
    from rolesynth_assets.store.lance.rows import any_key

    version = store.version("problems") if version is None else version
    where = {"domain": domain}
    kept = store.read("problems", where, ["problem_id"], "kept", version=version or None)
    ids = sorted(kept["problem_id"].to_pylist())
    if not ids:
        raise ExportError(
            f"domain {domain!r} has no kept problem: materialize cads_rounds and then "
            "synthetic_problems; if all were dropped, the reasons are in the table problems"
        )
    names = [field.name for field in fields(AcceptedProblem)]
    for start in range(0, len(ids), PROBLEMS_AT_ONCE):
        asked = any_key("problem_id", ids[start : start + PROBLEMS_AT_ONCE])
        rows = store.read("problems", where, names, asked, version=version).to_pylist()
        for row in sorted(rows, key=lambda row: row["problem_id"]):
            row["task_type"] = TaskType(row["task_type"])
            yield AcceptedProblem(**row)
