"""Grading of answers in a separate process, which is ended if an answer takes too long."""

from __future__ import annotations

import json
import subprocess
from typing import Protocol

from rolesynth_assets.answers import child_process
from rolesynth_assets.answers.child_process import GoneError
from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker

LIMIT_S = 10.0
"""Seconds for one answer, as TRL allows for parsing one; a usual answer takes milliseconds."""
START_S = 300.0  # to import sympy on a busy machine


class GradingError(RuntimeError):
    """The grading process cannot be started."""


class Grader(Protocol):
    """An object that spells an answer so that a checker accepts it."""

    def gold(self, answer: str, task_type: TaskType, checker: Checker) -> str | None:
        """Return `trainer_checkers.trainer_gold`, or None if the answer takes too long."""
        ...


class AnswerGrader:
    """A `Grader` with a time limit for every answer; use it in a ``with`` block.

    Answers repeat (letters, small numbers), so each is graded once. It is not thread-safe.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        """Prepare without starting the process, which starts with the first answer.

        Args:
            limit_s: seconds for one answer.
        """
        self._limit_s = limit_s
        self._known: dict[tuple[str, TaskType, Checker], str | None] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> AnswerGrader:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def gold(self, answer: str, task_type: TaskType, checker: Checker) -> str | None:
        """Return `trainer_checkers.trainer_gold`, or None if the answer takes too long.

        Raises:
            GradingError: the process cannot be started.
        """
        asked = (answer, task_type, checker)
        if asked not in self._known:
            self._known[asked] = self._ask(asked)
        return self._known[asked]

    def _ask(self, asked: tuple[str, TaskType, Checker]) -> str | None:
        # one retry, in case something else killed the process; a second death is due to the answer
        for _ in range(2):
            process = self._process or self._start()
            try:
                return json.loads(child_process.ask(process, asked, self._limit_s))
            except TimeoutError:
                self._end()
                return None
            except GoneError:
                self._end()
        return None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = child_process.start("rolesynth_assets.answers.grading_worker")
        try:
            child_process.heard(self._process, START_S)
        except (TimeoutError, GoneError) as error:
            gone = isinstance(error, GoneError)
            fate = f"ended with code {self._process.wait()}" if gone else "is silent"
            self._end()
            raise GradingError(
                f"the process that grades answers {fate} instead of starting; its error is shown "
                "above; check that mathruler, pylatexenc and math-verify can be imported"
            ) from error
        return self._process

    def _end(self) -> None:
        if self._process is not None:
            child_process.end(self._process)
        self._process = None
