"""The processes of the UI: a code server, the webserver and the daemon, which end together.

Each runs with Python's safe path, so that no module of the current folder is ever imported.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import rolesynth_assets
from rolesynth_assets.ui import watchdog

DEFINITIONS = "rolesynth_assets.definitions"  # `LOCATION` of lineage, which imports Dagster
START_S = 600.0
"""Seconds that the code server may take to answer; it is slow if all cores are busy."""
LOOK_S = 1.0
SENSOR_S = 600
"""Seconds that one evaluation of a sensor may take; Dagster's own 60 are too few for a tick that
looks at thousands of partitions on a busy machine."""
_WORKSPACE = """\
load_from:
  - grpc_server:
      socket: {socket}
      location_name: {name}
"""


class Services:
    """Processes that are started one by one and end together, also when this process ends."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._watchdog = subprocess.Popen(
            [sys.executable, "-P", "-m", watchdog.__name__],
            stdin=subprocess.PIPE,
            process_group=0,
        )
        for number in (signal.SIGINT, signal.SIGTERM):  # `ui &` starts with SIGINT ignored
            signal.signal(number, lambda *_: self._stop.set())
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            signal.signal(signal.SIGHUP, lambda *_: self._stop.set())

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start `python -P` with the arguments, as a process group of its own."""
        process = subprocess.Popen(
            [sys.executable, "-P", *arguments], env=_environment(), process_group=0
        )
        self._running[name] = process
        assert self._watchdog.stdin
        self._watchdog.stdin.write(f"{process.pid}\n".encode())
        self._watchdog.stdin.flush()

    def wait_for(self, socket: Path) -> bool:
        """Wait until the code server on a socket answers.

        Returns:
            False if a process ended, a signal arrived, or `START_S` passed before the answer.
        """
        until = time.monotonic() + START_S
        while time.monotonic() < until and not self._over():
            if socket.exists() and _serves(socket):
                return True
            self._stop.wait(0.2)
        return False

    def wait(self) -> None:
        """Wait until a signal arrives or one of the processes ends."""
        while not self._over():
            self._stop.wait(LOOK_S)

    def end(self) -> str:
        """End all processes; return the name of one that had ended by itself, or an empty text."""
        gone = [n for n, process in self._running.items() if process.poll() is not None]
        asked = self._stop.is_set()
        for process in self._running.values():
            threading.Thread(target=process.wait, daemon=True).start()  # a zombie keeps its group
        watchdog.end_groups([process.pid for process in self._running.values()])
        self._watchdog.communicate()
        return "" if asked or not gone else gone[0]

    def _over(self) -> bool:
        ended = any(process.poll() is not None for process in self._running.values())
        return ended or self._stop.is_set()


def serve(port: int, origins: Sequence[str]) -> str:
    """Run the UI until a signal ends it.

    Args:
        port: port on the loopback interface.
        origins: further addresses under which a proxy shows the pages.

    Returns:
        The name of the process that ended by itself and so ended the UI; empty otherwise.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rolesynth-ui-")))
        socket, workspace = folder / "code.sock", folder / "workspace.yaml"
        workspace.write_text(_WORKSPACE.format(socket=socket, name=DEFINITIONS))
        services = Services()
        try:
            services.start("code server", _code_server(socket))
            if services.wait_for(socket):
                further = [part for origin in origins for part in ("--origin", origin)]
                given = ["--port", str(port), "--workspace", str(workspace), *further]
                services.start("webserver", ["-m", "rolesynth_assets.ui.webserver", *given])
                services.start("daemon", ["-m", "dagster._daemon", "run", "-w", str(workspace)])
                services.wait()
        finally:
            ended = services.end()
    return ended


def _code_server(socket: Path) -> list[str]:
    # Dagster adds the working directory, by default the current folder, to the module search path
    ours = str(Path(rolesynth_assets.__file__).parents[1])
    start = ["-m", "dagster", "code-server", "start", "--socket", str(socket)]
    pointer = ["-m", DEFINITIONS, "-d", ours, "--location-name", DEFINITIONS]
    return [*start, *pointer, "--use-python-environment-entry-point", "--log-level", "warning"]


def _environment() -> Mapping[str, str]:
    limit = {"DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS": str(SENSOR_S)}
    return limit | os.environ | {"PYTHONSAFEPATH": "1", "DAGSTER_IS_DEV_CLI": "1"}


def _serves(socket: Path) -> bool:
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"unix:{socket}") as channel:
        try:
            asked = health_pb2.HealthCheckRequest(service="DagsterApi")
            answer = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=2)  # type: ignore[attr-defined]
        except grpc.RpcError:
            return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING
