"""Worker processes that read one line of JSON and write one line, with a limit on every wait."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys


class GoneError(Exception):
    """The worker has ended."""


def start(module: str, *, quiet: bool = False) -> subprocess.Popen[bytes]:
    """Start a module of this package as a worker.

    Args:
        module: full name of the module.
        quiet: whether to discard its error output.
    """
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module],  # -P: no modules from the current folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
    )


def ask(process: subprocess.Popen[bytes], question: object, seconds: float) -> bytes:
    """Send a question and wait for one line.

    Raises:
        TimeoutError: no line came in time.
        GoneError: the worker has ended.
    """
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(question).encode() + b"\n")
        process.stdin.flush()
    except OSError as error:
        raise GoneError from error
    return heard(process, seconds)


def heard(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Wait for one line; raises the errors of `ask`."""
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
    """Kill the worker and wait for its end."""
    process.kill()
    process.communicate()
