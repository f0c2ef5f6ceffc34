"""Folders that a long piece of work makes and others read as a whole: checkpoints.

In a data root on disk the work goes on in the folder itself. For a bucket it goes on in a folder of
this machine, whose state is uploaded now and then, so that another machine can continue it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from rolesynth_assets.files.bucket_folders import (
    LISTED,
    fetch_folder,
    into_copies,
    local_copy,
    read_list,
    upload_folder,
    without_file,
)
from rolesynth_assets.files.cache import cache_folder
from rolesynth_assets.files.object_path import DataPath, ObjectPath

UNFINISHED = "unfinished"
"""Below a folder in a bucket: the state of the work that will replace it."""
UPLOAD_EVERY_S = 300.0
"""Least time between two uploads of a state: training waits while some GB are sent."""


class WorkingFolder:
    """Where a folder is made; see `working_folder`.

    Attributes:
        path: folder of this machine.
    """

    def __init__(self, path: Path, place: ObjectPath | None) -> None:
        self.path, self._place = path, place
        self._saved = -UPLOAD_EVERY_S

    def save(self) -> None:
        """Make the state so far outlive this machine, unless that was done a short time ago.

        Raises:
            StorageError: it cannot be uploaded.
        """
        if self._place is not None and time.monotonic() - self._saved >= UPLOAD_EVERY_S:
            self._saved = time.monotonic()
            upload_folder(self.path, self._place / UNFINISHED)

    def finish(self) -> Path:
        """Put the folder in its place, and return a folder of this machine with the same files.

        Raises:
            StorageError: it cannot be uploaded; an earlier one is still in its place.
        """
        if self._place is None:
            return self.path
        return into_copies(self.path, upload_folder(self.path, self._place), self._place)


@contextmanager
def working_folder(place: DataPath) -> Iterator[WorkingFolder]:
    """Yield where the files of a folder are made, with the state that an ended process has left.

    One process at a time makes a folder.

    Raises:
        OSError: the state cannot be read.
    """
    if isinstance(place, Path):
        place.mkdir(parents=True, exist_ok=True)
        yield WorkingFolder(place, None)
        return
    path = cache_folder() / "work" / sha256(str(place).encode()).hexdigest()[:24]
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        if (state := read_list(place / UNFINISHED)) is not None:
            fetch_folder(place / UNFINISHED, state, path)
        yield WorkingFolder(path, place)
    finally:
        shutil.rmtree(path, ignore_errors=True)


def local_folder(folder: DataPath) -> Path:
    """Return the folder itself, or a local copy of one in a bucket, which may not be changed.

    Raises:
        FileNotFoundError: there is no whole one in the bucket.
        OSError: it cannot be read.
    """
    return local_copy(folder) if isinstance(folder, ObjectPath) else folder


def file_of(folder: DataPath, name: str) -> DataPath | None:
    """Return where a file of a whole folder is; None if there is no such file.

    Raises:
        OSError: the bucket cannot be read.
    """
    if isinstance(folder, Path):
        return folder / name if (folder / name).is_file() else None
    listed = read_list(folder)
    if listed is None or name not in {file.name for file in listed.files}:
        return None
    return folder / listed.below / name


def folders_with(root: DataPath, pattern: str, name: str) -> Iterator[DataPath]:
    """Yield the whole folders below a root whose path fits and that have a file, sorted.

    Args:
        root: where the folders are.
        pattern: of the folders' path below it, such as ``*/seed-*``.
        name: the file.

    Raises:
        OSError: the bucket cannot be read.
    """
    if isinstance(root, Path):
        yield from (path.parent for path in sorted(root.glob(f"{pattern}/{name}")))
        return
    for listed in root.glob(f"{pattern}/{LISTED}"):
        if file_of(listed.parent, name) is not None:
            yield listed.parent


def drop_file(folder: DataPath, name: str) -> bool:
    """Remove a file from a whole folder, and from this machine's copy of it; return whether it was.

    Raises:
        OSError: it cannot be removed.
    """
    found = file_of(folder, name)
    if isinstance(folder, ObjectPath):
        if found is not None:
            without_file(folder, name)
    elif isinstance(found, Path):
        found.unlink()
    return found is not None
