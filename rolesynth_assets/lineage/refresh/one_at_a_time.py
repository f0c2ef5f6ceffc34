"""One process at a time brings an instance up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout


class BusyError(RuntimeError):
    """Another process brings the same instance up to date."""


@contextmanager
def alone(instance: dg.DagsterInstance, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the instance's one right to rematerialize, so that nothing is made twice at once.

    Args:
        instance: the instance.
        wait_s: seconds to wait for whoever holds it.

    Raises:
        BusyError: another process of this machine holds it.
    """
    lock = FileLock(Path(instance.root_directory) / "rematerialize.lock", timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            "another process is bringing this instance up to date (`rolesynth run`, `rolesynth "
            "problems`, `rolesynth stale --fix`, the weekly refresh, or the sensor); wait for it, "
            "or look at its runs in the UI"
        ) from None
    try:
        yield
    finally:
        lock.release()
