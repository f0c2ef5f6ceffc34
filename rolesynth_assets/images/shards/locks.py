"""Locks by which commands at the same time neither lose a shard nor read images in twice.

The kernel gives a lock back when its process dies, so a killed command blocks nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from rolesynth_assets.data_paths import DataPaths

CHANGE_TIMEOUT_S = 120.0
"""A change of the registry and of Dagster's partitions takes seconds."""
_log = logging.getLogger("rolesynth")


@contextmanager
def changing_shards(data_root: str | Path) -> Iterator[None]:
    """Let no other process see the registry and Dagster's partitions while they disagree.

    A block within a block of the same thread is allowed.

    Raises:
        Timeout: another process has been changing them for two minutes.
    """
    path = _folder(data_root) / ".changing.lock"
    with FileLock(path, timeout=CHANGE_TIMEOUT_S, is_singleton=True):
        yield


@contextmanager
def reading_images(data_root: str | Path, what: str) -> Iterator[None]:
    """Let one process at a time read images in: two could both take in one image as the first.

    Args:
        data_root: a local folder.
        what: what is read, for the log of a process that waits.
    """
    lock = FileLock(_folder(data_root) / ".reading.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("%s: another process is reading images in; waiting until it ends", what)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _folder(data_root: str | Path) -> Path:
    folder = DataPaths(data_root).shards
    folder.mkdir(parents=True, exist_ok=True)
    return folder
