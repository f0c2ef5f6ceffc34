"""Worker processes that answer one question at a time, and are ended when they take too long.

A worker is a plain ``python -P`` that gets a line of JSON and returns one. A worker of
`multiprocessing`, and so of pebble or loky, would run the program's main script a second time and
import modules of the current folder even if the program itself does not.
"""

from __future__ import annotations

import os
import resource
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, LifoQueue
from typing import IO, TypeVar

R = TypeVar("R")
START_S = 300.0
"""Seconds to start, on a machine that is busy with something else."""


class WorkerStartError(RuntimeError):
    """A worker does not start."""


class WorkerEndedError(RuntimeError):
    """Two workers ended over one question; the message says how the last one did."""


class Worker:
    """One process, started when it is needed, and again after it had to be ended."""

    def __init__(
        self,
        code: str,
        not_started: Callable[[str], WorkerStartError],
        arguments: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
        files: Sequence[int] = (),
    ) -> None:
        """Set up; nothing is started.

        Args:
            code: what the worker runs; it writes a line once it is ready.
            not_started: returns the error of a worker that does not start, from its fate in words.
            arguments: its command-line arguments.
            environ: variables beside those of this process.
            files: open file descriptors that the worker has too, under the same numbers.
        """
        self._files = tuple(files)
        self._command = [sys.executable, "-P", "-c", code, *arguments]
        self._environ, self._not_started = environ or {}, not_started
        self.process: subprocess.Popen[bytes] | None = None
        self.fate = "no reply"

    @contextmanager
    def asked(self, question: bytes) -> Iterator[subprocess.Popen[bytes]]:
        """Send a question; the reply is read within the block, to its end.

        Raises:
            TimeoutError, EOFError, BrokenPipeError: the block's or the process's, all after the end
                of the process.
            WorkerStartError: it does not start.
        """
        try:
            process = self.process or self._start()
            assert process.stdin is not None
            process.stdin.write(question)
            process.stdin.flush()
            yield process
        except BaseException:  # an interrupt too: the next question must not get this one's reply
            self.end()
            raise

    def end(self) -> None:
        """End the process, whatever it is doing."""
        process, self.process = self.process, None
        if process is not None:
            process.poll()
            process.kill()
            process.communicate()
            self.fate = f"code {process.returncode}"

    def _start(self) -> subprocess.Popen[bytes]:
        self.process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **self._environ},
            pass_fds=self._files,
        )
        try:
            read_line(process, START_S)
        except (TimeoutError, EOFError) as error:
            gone = isinstance(error, EOFError)
            fate = f"ended with code {process.wait()}" if gone else "is silent"
            raise self._not_started(fate) from error
        return process


def read_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Return the next line of a worker.

    Raises:
        TimeoutError: it does not begin within `seconds`.
        EOFError: the worker has ended.
    """
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise TimeoutError
    line = process.stdout.readline()
    if not line:
        raise EOFError
    return line


def begin_answering() -> IO[bytes]:
    """Make this process a worker, and return the file for its replies.

    Ctrl-C is left to the program, which ends its workers; a crash leaves no core; and nothing that
    a library prints reaches the replies or the terminal.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    replies = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    return replies


class WorkerPool:
    """A few workers, which several threads may ask at once.

    Each starts with its first question. After a fork, the child calls `forget` and starts its own.
    """

    def __init__(self, make: Callable[[], Worker], workers: int) -> None:
        """Prepare.

        Args:
            make: makes a worker that is not started.
            workers: processes at most.
        """
        self._make, self._count = make, workers
        self.forget()

    def with_worker(self, ask: Callable[[Worker], R]) -> R:
        """Return what `ask` returns of an idle worker.

        Raises:
            TimeoutError: `ask` does.
            WorkerEndedError: two workers ended over it.
            WorkerStartError: no worker starts.
        """
        idle = self._idle
        worker = idle.get()
        try:
            for _ in range(2):  # one retry, in case something else killed the worker
                try:
                    return ask(worker)
                except (EOFError, BrokenPipeError):
                    continue
            raise WorkerEndedError(worker.fate)
        finally:
            idle.put(worker)

    def end_idle(self) -> None:
        """End the workers that have no question; the next one starts a worker again."""
        ended: list[Worker] = []
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
        for worker in self.workers:
            worker.end()

    def forget(self) -> None:
        """Leave the workers to the process that this one was forked from, and begin anew."""
        self.workers = [self._make() for _ in range(self._count)]
        self._idle: LifoQueue[Worker] = LifoQueue()  # so that a warm worker is taken first
        for worker in self.workers:
            self._idle.put(worker)
