"""`rolesynth ui` on a free port of the loopback, ended with everything that it started."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S = 240.0


@dataclass(frozen=True)
class DevServer:
    """A server that was started and need not answer yet.

    Attributes:
        address: where its pages are.
        process: the leader of the process group of all that belongs to it.
        log: what it printed.
    """

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until_it_answers(self) -> None:
        """Wait for the first page.

        Raises:
            RuntimeError: the server ended or is silent for too long; what it printed is shown.
        """
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.address}/server_info", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        printed = self.log.read_text(errors="replace")[-5000:]
        raise RuntimeError(f"rolesynth ui does not answer; it printed:\n{printed}")


@contextmanager
def dev_server(environ: Mapping[str, str], log: Path) -> Iterator[DevServer]:
    """Start `rolesynth ui`.

    Args:
        environ: all environment variables, DAGSTER_HOME and ROLESYNTH_PROJECT among them.
        log: file for what the server prints.
    """
    port = _free_port()
    command = f"-m rolesynth_assets.cli.app ui --port {port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command.split()],
            cwd=ROOT,
            env=dict(environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield DevServer(f"http://127.0.0.1:{port}", process, log)
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server's process group: politely, then at once."""
    for wish, patience_s in ((signal.SIGTERM, 15.0), (signal.SIGKILL, 15.0)):
        try:
            os.killpg(server.pid, wish)
        except ProcessLookupError:
            break
        until = time.monotonic() + patience_s
        while time.monotonic() < until and _lives(server):
            time.sleep(0.1)
    server.wait(15)


def _lives(server: subprocess.Popen[bytes]) -> bool:
    server.poll()  # reap it: a zombie still counts as a member of its group
    try:
        os.killpg(server.pid, 0)
    except ProcessLookupError:
        return False
    return True
