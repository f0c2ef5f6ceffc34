"""The digest of a task's files, computed again only where one of them has changed.

A look at staleness asks for it each time, and a benchmark may have thousands of images. A file is
taken for unchanged if its size and both of its times are: those of its content and of its record.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rolesynth_assets.benchmarks.tasks import Task
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import write_text
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.images.limits import limits_in_use
from rolesynth_assets.store.digests import digest

MOST_FILES = 200_000
"""Files and folders at a task's place that are looked at; with more nothing is noted."""
SETTLED_NS = 2_000_000_000
"""Age of a file, in nanoseconds, below which another change may leave its times as they are."""


def known_digest(task: Task, data_root: DataPath | str) -> str:
    """Return `task_digest`, from the last time if nothing that it hangs on has changed since.

    Raises:
        BenchmarkError: the files do not follow the layout.
    """
    now = time.time_ns()
    state = _state(task, data_root, now)
    note = DataPaths(data_root).benchmark_digest(task.name)
    if state is not None:
        with suppress(OSError, ValueError, AttributeError):
            noted = json.loads(note.read_text())
            if noted.get("state") == state:
                return str(noted["digest"])
    from rolesynth_assets.benchmarks.datasets import task_digest

    found = task_digest(task, data_root)
    if state is not None:
        with suppress(OSError):  # a disk that is full: the next look reads anew
            write_text(note, json.dumps({"state": state, "digest": found}))
    return found


def _state(task: Task, data_root: DataPath | str, now: int) -> str | None:
    """Return what changes with a file of a task or with the code that reads it; None if unsure."""
    place = task.resolve(data_root)
    files: list[str] = []
    for folder in (place if place.is_dir() else place.parent, Path(__file__).parent):
        for entry in _entries(folder):
            try:
                of = entry.stat()
            except OSError:
                return None  # it is just being replaced, or a link leads nowhere
            if len(files) == MOST_FILES or now - max(of.st_mtime_ns, of.st_ctime_ns) < SETTLED_NS:
                return None
            files.append(f"{entry.path} {of.st_size} {of.st_mtime_ns} {of.st_ctime_ns}")
    limit = str(limits_in_use().image.max_bytes)
    return digest("task files", task.model_dump_json(), limit, *sorted(files))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all files and folders below a folder; what cannot be listed yields nothing."""
    open_folders = [str(folder)]
    while open_folders:
        try:
            with os.scandir(open_folders.pop()) as found:
                entries = list(found)
        except OSError:
            continue
        for entry in entries:
            if entry.name == "__pycache__":
                continue
            yield entry
            if entry.is_dir():
                open_folders.append(entry.path)
