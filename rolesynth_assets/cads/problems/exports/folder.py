"""Replacement of a folder as a whole, so that a reader finds the old export or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100
_NOT_HERE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty draft folder that takes the place of `folder` at the end of the block.

    If the block raises, `folder` stays as it was. A killed process leaves a hidden ``.NAME.draft``
    beside it, which the next export removes. Only one process at a time may write to a folder.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        _flush(draft)
        if folder.exists():
            _exchange(draft, folder)
        else:
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Flush the files to disk before the rename, so that a power cut leaves no empty export."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _exchange(draft: Path, folder: Path) -> None:
    """Exchange the names of two folders in one step.

    If the system cannot do that (not Linux, or a network file system), `folder` does not exist for
    a moment between two renames.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    if rename is not None:
        paths = (os.fsencode(draft), os.fsencode(folder))
        if rename(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in _NOT_HERE:
            raise OSError(code, os.strerror(code), str(folder))
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old)
