"""Which process executes a run, as tags of the run, and whether that process still exists."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

HOST, PID, STARTED = (f".dagster/rolesynth_{name}" for name in ("host", "pid", "process_start"))
HEARTBEAT = ".dagster/rolesynth_heartbeat"
"""Tag with the last time at which the process was known to live, ISO 8601, UTC."""
SILENCE = timedelta(minutes=15)
"""Time without a heartbeat after which a process of another host counts as gone."""


def here() -> str:
    """Name where process ids are looked up: the host, and on Linux its namespace of ids.

    Containers may share a host name, and each has ids of its own.
    """
    host = socket.gethostname()
    try:
        return f"{host} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return host


def process_tags() -> dict[str, str]:
    """Return the tags of a run that this process executes."""
    return {
        HOST: here(),
        PID: str(os.getpid()),
        STARTED: process_start(os.getpid()) or "",
        HEARTBEAT: datetime.now(UTC).isoformat(timespec="seconds"),
    }


def death(tags: Mapping[str, str], now: datetime | None = None) -> str:
    """Say how it is known that the process of a run is gone; nothing if it may live.

    A process of this host is looked up by its id and its start, since ids are given again. Of
    another host or container only the heartbeat is known, and so it is of a run that an earlier
    version recorded without its namespace, unless its process is found here.

    Args:
        tags: tags of the run; a run without those of a process may always live.
        now: the present, UTC.
    """
    host, pid = tags.get(HOST), tags.get(PID, "")
    if host is None or not pid.isdigit():
        return ""
    if host in (here(), socket.gethostname()):
        present = process_start(int(pid))
        if present is not None and present == tags.get(STARTED, present):
            return ""
        if host == here():
            return f"its process {pid} is gone"
    try:
        beat = datetime.fromisoformat(tags.get(HEARTBEAT, ""))
    except ValueError:
        return ""
    silence = (now or datetime.now(UTC)) - beat
    if silence <= SILENCE:
        return ""
    name = host.partition(" ")[0]
    return f"process {pid} on {name} gave no sign of life since {beat:%Y-%m-%d %H:%M} UTC"


def process_start(pid: int) -> str | None:
    """Return what no other process with this id shares: its start; None if there is no process.

    On Linux it is counted from the boot, which is named too, so setting a clock changes nothing.
    """
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        return _start_by_ps(pid)
    try:
        text = (proc / str(pid) / "stat").read_text(errors="replace")
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    state, *rest = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else f"{boot}:{rest[18]}"


def _start_by_ps(pid: int) -> str | None:
    asked = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return None if not answer or answer[0].startswith("Z") else " ".join(answer[1:])
