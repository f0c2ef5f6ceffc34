"""Who holds a right: named in messages, and known to be gone if its process ended here."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Holder:
    """A process that holds a right.

    Attributes:
        host: name of its host.
        pid: its process id there.
        since: when it took the right, ISO 8601 in UTC.
        machine: boot of the machine and its process namespace; empty where that is not known.
        started: start of the process in the machine's own count; empty where that is not known.
    """

    host: str
    pid: int
    since: str
    machine: str = ""
    started: str = ""

    @classmethod
    def here(cls) -> Holder:
        """This process, from now on."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), now, _machine(), _started(os.getpid()))

    @property
    def gone(self) -> bool:
        """Whether its process ran on this machine and has ended; false if nobody can know."""
        return (
            bool(self.machine and self.started)
            and self.machine == _machine()
            and _started(self.pid) != self.started
        )

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:  # no Linux
        return ""


def _started(pid: int) -> str:
    """Return the start of a process in ticks since the boot; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
