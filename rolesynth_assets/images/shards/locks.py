"""Locks by which commands at the same time neither lose a shard nor read images in twice.

In a folder, the kernel gives a lock back when its process dies, so a killed command blocks nobody;
in a bucket, it is a lease that expires.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import local

from filelock import FileLock

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.errors import HeldError
from rolesynth_assets.store.leases.hold import Hold, held, held_after_waiting

CHANGE_TIMEOUT_S = 120.0
"""A change of the registry and of Dagster's partitions takes seconds."""
_ENDLESS_S = 30 * 24 * 3600.0
_log = logging.getLogger("rolesynth")
_held = local()


@contextmanager
def changing_shards(data_root: DataPath | str) -> Iterator[None]:
    """Let no other process see the registry and Dagster's partitions while they disagree.

    A block within a block of the same thread is allowed.

    Raises:
        Timeout: another process has been changing them for two minutes; in a bucket, a
            `HeldError`.
    """
    folder = DataPaths(data_root).shards
    roots: set[str] = vars(_held).setdefault("roots", set())
    if isinstance(folder, Path):
        with FileLock(
            _made(folder) / ".changing.lock", timeout=CHANGE_TIMEOUT_S, is_singleton=True
        ):
            yield
    elif str(folder) in roots:
        yield
    else:
        with _lease(data_root, "changing", CHANGE_TIMEOUT_S):
            roots.add(str(folder))
            try:
                yield
            finally:
                roots.discard(str(folder))


@contextmanager
def changing_registry(data_root: DataPath | str) -> Iterator[DataPath]:
    """Let no other process change the registry, whose folder is given.

    Raises:
        Timeout: another process has been changing it for two minutes; in a bucket, a `HeldError`.
    """
    folder = DataPaths(data_root).shards
    if isinstance(folder, Path):
        with FileLock(_made(folder) / ".lock", timeout=CHANGE_TIMEOUT_S):
            yield folder
    else:
        with _lease(data_root, "registry", CHANGE_TIMEOUT_S):
            yield folder


@contextmanager
def reading_images(data_root: DataPath | str, what: str) -> Iterator[None]:
    """Let one process at a time read images in: two could both take in one image as the first.

    Args:
        data_root: the data root.
        what: what is read, for the log of a process that waits.
    """

    def say(error: HeldError) -> None:
        _log.warning("%s: another process is reading images in; waiting until it ends", what)

    with held_after_waiting(data_root, "shards/reading", _ENDLESS_S, say):
        yield


def _lease(data_root: DataPath | str, what: str, patience_s: float) -> AbstractContextManager[Hold]:
    return held(data_root, f"shards/{what}", patience_s)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
