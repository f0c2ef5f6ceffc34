"""Checkers of mathematics in processes of their own, which end when an answer takes too long.

math-verify and mathruler work algebra out with sympy, which can take for ever and fill any memory
on a short answer. math-verify's own time limit is a signal, which works in a main thread only.
"""

from __future__ import annotations

import atexit
import importlib
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold
from rolesynth_assets.parallel.worker_process import (
    Worker,
    WorkerEndedError,
    WorkerPool,
    WorkerStartError,
    read_line,
)

WORKERS = 2
"""Processes at most; the second starts when a question comes while the first is busy."""
MEMORY = 2 * 2**30
"""Bytes of address space of a worker, so that 9**9**9**9 is refused rather than written out."""
LIMIT_S = 10.0
"""Seconds to grade one answer: what TRL allows for reading one; a usual one takes milliseconds."""
CHECKER_MODULES = ("math_verify", "mathruler.grader")

_WORKER = f"from {__name__} import serve; serve()"


class CheckerStartError(WorkerStartError):
    """A worker does not start."""


def _not_started(fate: str) -> CheckerStartError:
    return CheckerStartError(
        f"The process that checks answers {fate} instead of starting; its error is printed above. "
        "The packages mathruler, pylatexenc and math-verify must import."
    )


class CheckerPool(WorkerPool):
    """A few worker processes that call functions within bounds of time and memory.

    They end with the program.
    """

    def __init__(self, imports: Sequence[str] = CHECKER_MODULES, workers: int = WORKERS) -> None:
        """Prepare.

        Args:
            imports: modules that a worker imports before it is asked anything.
            workers: processes at most.
        """
        super().__init__(lambda: Worker(_WORKER, _not_started, imports), workers)

    def ask(self, function: Callable[..., Any], arguments: Sequence[Any], seconds: float) -> Any:
        """Call a function in a worker.

        Args:
            function: of a module that can be imported; it returns what JSON can hold.
            arguments: what JSON can hold.
            seconds: that the call may take, not counting the start of a worker.

        Returns:
            What the function returns; None if it raises, takes too long or ends two workers.

        Raises:
            CheckerStartError: no worker starts.
        """
        question = [function.__module__, function.__name__, arguments, seconds]

        def reply(worker: Worker) -> Any:
            with worker.asked(json.dumps(question).encode() + b"\n") as process:
                return json.loads(read_line(process, seconds))

        try:
            return self.with_worker(reply)
        except (TimeoutError, WorkerEndedError):
            return None


CHECKERS = CheckerPool()
"""The workers of this program."""
atexit.register(CHECKERS.end)
os.register_at_fork(after_in_child=CHECKERS.forget)


class Grader(Protocol):
    """An object that spells an answer so that a checker accepts it."""

    def gold(self, answer: str, task_type: TaskType, checker: Checker) -> str | None:
        """Return `trainer_gold`, or None for an answer that cannot be graded in time."""
        ...


class AnswerGrader:
    """A `Grader` whose every question ends in time.

    Answers repeat (letters, small numbers), so each is graded once. As a ``with`` block it ends the
    idle workers at its end. Not for use from two threads.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        """Prepare.

        Args:
            limit_s: seconds for one answer.
        """
        self._limit_s = limit_s
        self._known: dict[tuple[str, TaskType, Checker], str | None] = {}

    def __enter__(self) -> AnswerGrader:
        return self

    def __exit__(self, *_: object) -> None:
        CHECKERS.end_idle()

    def gold(self, answer: str, task_type: TaskType, checker: Checker) -> str | None:
        """Return `trainer_gold`, or None for an answer that cannot be graded in time.

        Raises:
            CheckerStartError: no worker starts.
        """
        asked = (answer, task_type, checker)
        if asked not in self._known:
            self._known[asked] = CHECKERS.ask(_gold, asked, self._limit_s)
        return self._known[asked]


def _gold(answer: str, task_type: str, checker: str) -> str | None:
    return trainer_gold(answer, TaskType(task_type), Checker(checker))


def serve() -> None:
    """Be a worker: import what the arguments name, then answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends workers
    logging.disable(logging.CRITICAL)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not a reply
    for module in sys.argv[1:]:
        importlib.import_module(module)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    print(json.dumps("ready"), file=replies, flush=True)
    for line in sys.stdin:
        module, function, arguments, seconds = json.loads(line)
        _bound_cpu(seconds)
        try:
            result = getattr(importlib.import_module(module), function)(*arguments)
        except Exception:  # sympy raises anything on odd input
            result = None
        print(json.dumps(result), file=replies, flush=True)


def _bound_cpu(seconds: float) -> None:
    """Let the system end this worker soon after its seconds, should its program be gone by then."""
    soft = int(time.process_time() + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
