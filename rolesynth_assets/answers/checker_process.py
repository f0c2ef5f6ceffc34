"""Checkers of mathematics in processes of their own, which end when an answer takes too long.

math-verify and mathruler work algebra out with sympy, which can take for ever and fill any memory
on a short answer. math-verify's own time limit is a signal, which works in a main thread only.

A worker is a plain ``python -P`` that gets a line of JSON and returns one. A worker of
`multiprocessing`, and so of pebble or loky, would run the program's main script a second time and
import modules of the current folder even if the program itself does not.
"""

from __future__ import annotations

import atexit
import importlib
import json
import logging
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from queue import Empty, LifoQueue
from typing import Any, Protocol

from rolesynth_assets.answers.task_type import TaskType
from rolesynth_assets.answers.trainer_checkers import Checker, trainer_gold

WORKERS = 2
"""Processes at most; the second starts when a question comes while the first is busy."""
MEMORY = 2 * 2**30
"""Bytes of address space of a worker, so that 9**9**9**9 is refused rather than written out."""
LIMIT_S = 10.0
"""Seconds to grade one answer: what TRL allows for reading one; a usual one takes milliseconds."""
START_S = 300.0
"""Seconds to import sympy, on a machine that is busy with something else."""

CHECKER_MODULES = ("math_verify", "mathruler.grader")

_WORKER = f"from {__name__} import serve; serve()"


class CheckerStartError(RuntimeError):
    """A worker does not start."""


class CheckerPool:
    """A few worker processes that call functions within bounds of time and memory.

    Several threads may ask at once. Workers start with the first question and end with the program;
    after a fork, the child starts workers of its own.
    """

    def __init__(self, imports: Sequence[str] = CHECKER_MODULES, workers: int = WORKERS) -> None:
        """Prepare.

        Args:
            imports: modules that a worker imports before it is asked anything.
            workers: processes at most.
        """
        self._workers = [_Worker(imports) for _ in range(workers)]
        self._idle: LifoQueue[_Worker] = LifoQueue()  # so that a warm worker is taken first
        for worker in self._workers:
            self._idle.put(worker)

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
        worker = self._idle.get()
        try:
            for _ in range(2):  # one retry, in case something else killed the worker
                try:
                    return worker.ask(question, seconds)
                except TimeoutError:
                    return None
                except (EOFError, BrokenPipeError):
                    continue
            return None
        finally:
            self._idle.put(worker)

    def end_idle(self) -> None:
        """End the workers that have no question; the next one starts a worker again."""
        ended: list[_Worker] = []
        try:
            while True:
                ended.append(self._idle.get_nowait())
        except Empty:
            pass
        for worker in ended:
            worker.end()
            self._idle.put(worker)

    def end(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self._workers:
            worker.end()

    def forget(self) -> None:
        """Leave the workers to the process that this one was forked from."""
        self.__init__(self._workers[0].imports, len(self._workers))


class _Worker:
    """One process, started when it is needed, and again after it had to be ended."""

    def __init__(self, imports: Sequence[str]) -> None:
        self.imports = imports
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, question: object, seconds: float) -> Any:
        """Raises TimeoutError, EOFError or BrokenPipeError, all after the end of the process."""
        try:
            process = self.process or self._start()
            assert process.stdin is not None
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            return json.loads(_line(process, seconds))
        except BaseException:  # an interrupt too: the next question must not get this one's reply
            self.end()
            raise

    def end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        self.process = process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER, *self.imports],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            _line(process, START_S)
        except (TimeoutError, EOFError) as error:
            gone = isinstance(error, EOFError)
            fate = f"ended with code {process.wait()}" if gone else "is silent"
            raise CheckerStartError(
                f"The process that checks answers {fate} instead of starting; its error is printed "
                "above. The packages mathruler, pylatexenc and math-verify must import."
            ) from error
        return process


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise TimeoutError
    line = process.stdout.readline()
    if not line:
        raise EOFError
    return line


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
