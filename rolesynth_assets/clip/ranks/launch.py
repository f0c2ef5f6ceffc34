"""Starting the processes of a training by torchrun, and following them to their end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO

from rolesynth_assets.clip.data.decoding import usable_cpus
from rolesynth_assets.clip.ranks.job import JobFolder, Said
from rolesynth_assets.progress import Progress, reporting

MODULE = "rolesynth_assets.training_sets.rank"
"""What each process runs."""
ENDS_WITH_STDIN = "ROLESYNTH_ENDS_WITH_STDIN"
"""Variable by which a process knows that the end of its standard input ends it."""
LOOK_EVERY_S = 0.2
PATIENCE_S = 20.0
"""Seconds that torchrun has to end when it is asked to."""
_LAST_LINES = 30
_EXIT = re.compile(r"rank\s*:\s*(\d+).*?exitcode\s*:\s*(-?\d+)", re.DOTALL)


class TrainingProcessError(RuntimeError):
    """A process of a training ended, and with it all others; the message says which and why."""


def run_on_ranks(folder: JobFolder, processes: int, torchrun: Sequence[str] = ()) -> str:
    """Let several processes do a job, and show their progress.

    However this ends, no process of this machine is left: they end with the standard input that
    this process holds open for them, even if it is killed.

    Args:
        folder: the job.
        processes: number of processes on this machine.
        torchrun: a command that starts them instead, here and perhaps on other machines.

    Returns:
        What the job's process 0 reports, as JSON.

    Raises:
        TrainingProcessError: a process ended with an error or was killed.
    """
    command = [*(torchrun or _on_this_machine(processes)), "-m", MODULE, str(folder.path)]
    environ = {**os.environ, **_environ(0 if torchrun else processes)}
    with _ended_in_any_case(_start(command, environ)) as process:
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        assert process.stderr is not None
        reader = threading.Thread(target=_pass_on, args=(process.stderr, lines), daemon=True)
        reader.start()
        shown = _Shown()
        while process.poll() is None:
            shown.show(folder.said())
            time.sleep(LOOK_EVERY_S)
        shown.show(folder.said())
        reader.join(PATIENCE_S)
    report = folder.report()
    if process.returncode or report is None:
        raise TrainingProcessError(_why(folder, process.returncode, "".join(lines)))
    return report


def _on_this_machine(processes: int) -> list[str]:
    """Return the command that starts processes which talk over the loopback interface."""
    return [
        *(sys.executable, "-P", "-m", "torch.distributed.run", "--standalone"),
        *("--local-addr", "127.0.0.1", "--nproc-per-node", str(processes)),
    ]


def _environ(processes: int) -> Mapping[str, str]:
    """Return the variables of the processes; 0 processes are started by the user's own command."""
    variables = {ENDS_WITH_STDIN: "1", "PYTHONSAFEPATH": "1"}
    if not processes:
        return variables
    usual = {
        "GLOO_SOCKET_IFNAME": _loopback(),
        "NCCL_SOCKET_IFNAME": _loopback(),
        "OMP_NUM_THREADS": str(max(1, usable_cpus() // processes)),
    }
    return variables | {name: os.environ.get(name, value) for name, value in usual.items()}


def _loopback() -> str:
    return "lo0" if sys.platform == "darwin" else "lo"


def _start(command: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=sys.stderr.fileno() if _has_number(sys.stderr) else None,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise TrainingProcessError(
            f"The processes of the training cannot be started by {command[0]!r}: {error}. Check "
            "training.torchrun in rolesynth.yaml."
        ) from error


def _has_number(stream: IO[str]) -> bool:
    try:
        return stream.fileno() >= 0
    except (OSError, ValueError, AttributeError):
        return False


def _pass_on(stream: IO[str], lines: deque[str]) -> None:
    for line in stream:
        lines.append(line)
        sys.stderr.write(line)


@contextmanager
def _ended_in_any_case(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """End torchrun and what it has started when the block ends, also by an interrupt."""
    try:
        yield process
    finally:
        assert process.stdin is not None
        with suppress(OSError):
            process.stdin.close()
        if process.poll() is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


class _Shown:
    """Progress of one piece of work after the other."""

    def __init__(self) -> None:
        self._last: Said | None = None
        self._advance: Progress | None = None

    def show(self, said: Said | None) -> None:
        if said is None or said == self._last:
            return
        if self._advance is None or self._last is None or said.label != self._last.label:
            self._advance = reporting(said.label)
        self._last = said
        self._advance(said.done, said.total)


def _why(folder: JobFolder, code: int, lines: str) -> str:
    """Say why a training has ended, as exactly as it is known."""
    later = "Run it again: it goes on from its last saved step."
    # torchrun's own report names the first failure last
    ends = _EXIT.findall(lines.rpartition("Root Cause")[2])
    rank, exit_code = (int(number) for number in ends[0]) if ends else (0, code)
    if ends and exit_code < 0:  # first of all: the others only say that they miss it
        name = signal.Signals(-exit_code).name
        memory = ", perhaps because the machine has no memory left" if exit_code == -9 else ""
        return (
            f"Process {rank} of the training was ended by {name}{memory}, and the others with it. "
            f"{later}"
        )
    if failure := folder.failure():
        return f"{failure.kind} in process {failure.rank} of the training: {failure.message}"
    if ends:
        return f"Process {rank} of the training ended with code {exit_code}. {later}"
    return (
        f"torchrun ended with code {code} and no report of the training. Its last lines: "
        f"{lines.strip()[-2000:] or 'none'}"
    )
