"""A worker in a process of its own: a line of JSON in, a line out, and an end to every wait."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys


class GoneError(Exception):
    """The worker has ended."""


def start(module: str, *, quiet: bool = False) -> subprocess.Popen[bytes]:
    """Start a module of ours as a worker.

    Args:
        module: its full name.
        quiet: whether its error output goes nowhere.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],  # no module of the current folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
    )


def ask(process: subprocess.Popen[bytes], question: object, seconds: float) -> bytes:
    """Send a question, and wait for one line.

    Raises:
        TimeoutError: none came in time.
        GoneError: the worker is gone.
    """
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
    except OSError as error:
        raise GoneError from error
    return heard(process, seconds)


def heard(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Wait for one line; raises as `ask` does."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise TimeoutError
    line = process.stdout.readline()
    if not line:
        raise GoneError
    return line


def end(process: subprocess.Popen[bytes]) -> None:
    """End the worker, whatever it is at."""
    process.kill()
    process.communicate()
