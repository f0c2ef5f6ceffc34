"""One process at a time brings a data root up to date, whichever Dagster home it works for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath


class BusyError(RuntimeError):
    """Another process brings the same data root up to date."""


@contextmanager
def alone(data_root: DataPath, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the one right to rematerialize, so that nothing is made or paid twice at once.

    The lock is in the data root, since that is what two hosts or two Dagster homes may share.

    Args:
        data_root: the data root.
        wait_s: seconds to wait for whoever holds it.

    Raises:
        BusyError: another process holds it.
    """
    path = DataPaths(data_root).lock("rematerialize")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            "another process is bringing this data root up to date (`rolesynth run`, `rolesynth "
            "problems`, `rolesynth stale --fix`, the weekly refresh, or the sensor); wait for it, "
            "or look at its runs in the UI"
        ) from None
    try:
        yield
    finally:
        lock.release()
