"""A watchdog that ends the UI's processes when the process that started them is gone.

`python -m` of this module reads ids of process groups from its standard input, one per line. The
input ends when the starting process ends, even after a `kill -9`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_S = 10.0
"""Seconds that a group may take to end by itself before it is killed."""


def end_groups(groups: Iterable[int], grace_s: float = GRACE_S) -> None:
    """End process groups by SIGTERM, and those left after `grace_s` seconds by SIGKILL."""
    left = _signal(groups, signal.SIGTERM)
    until = time.monotonic() + grace_s
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = _signal(left, 0)
    _signal(left, signal.SIGKILL)


def _signal(groups: Iterable[int], number: int) -> list[int]:
    """Send a signal to each group; return the groups that exist."""
    found = []
    for group in groups:
        try:
            os.killpg(group, number)
            found.append(group)
        except ProcessLookupError:
            continue
    return found


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    end_groups([int(line) for line in sys.stdin])
