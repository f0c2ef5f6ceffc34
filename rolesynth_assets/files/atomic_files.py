"""Files and folders that are replaced as a whole: a reader finds the old content or the new one.

What a killed process leaves behind is a hidden ``.NAME.draft`` beside the file or folder, which the
next write replaces. One process at a time may write to a file or a folder. In a bucket an object is
replaced in one step, and a folder as `rolesynth_assets.files.bucket_folders` says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from rolesynth_assets.files.object_path import DataPath, ObjectPath


def write_bytes(path: DataPath, content: bytes | memoryview) -> None:
    """Write a file, on disk before it takes its name; its folder is made.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    if isinstance(path, ObjectPath):
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = _beside(path, "draft")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def write_text(path: DataPath, text: str) -> None:
    """Write a file of UTF-8 text as `write_bytes` does."""
    write_bytes(path, text.encode("utf-8"))


def create_text(path: DataPath, text: str) -> None:
    """Write a file of UTF-8 text unless there is one; of several who do so at once, one succeeds.

    Raises:
        OSError: it cannot be written.
    """
    if isinstance(path, ObjectPath):
        path.create_bytes(text.encode("utf-8"))
        return
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    write_text(draft, text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another wrote it in this moment
    except OSError:  # a file system without links
        os.replace(draft, path)
    draft.unlink(missing_ok=True)


def move(old: DataPath, new: DataPath) -> None:
    """Move a small file; its new folder is made. In a bucket there is a moment in which both exist.

    Raises:
        OSError: it cannot be moved.
    """
    if isinstance(old, Path) and isinstance(new, Path):
        new.parent.mkdir(parents=True, exist_ok=True)
        os.replace(old, new)
        return
    write_bytes(new, old.read_bytes())
    old.unlink()


@contextmanager
def replaced_folder(folder: DataPath) -> Iterator[Path]:
    """Yield an empty draft folder that takes the place of `folder` at the end of the block.

    The files are on disk before the folder takes its name. Between the two renames is a moment in
    which a reader finds no folder, never a mixed one. When the block raises, `folder` is as it was.
    A link stays a link, and the folder that it leads to is replaced. In a bucket there is no such
    moment.

    Raises:
        OSError: it cannot be written.
    """
    if isinstance(folder, ObjectPath):
        from rolesynth_assets.files.bucket_folders import replaced_in_bucket

        with replaced_in_bucket(folder) as draft:
            yield draft
        return
    folder = folder.resolve()
    draft, old = _beside(folder, "draft"), _beside(folder, "old")
    _restore(folder, old)  # the last writer may have been killed between its two renames
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        _flush(draft)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        _restore(folder, old)
        shutil.rmtree(old, ignore_errors=True)


def left_drafts(folder: Path) -> list[Path]:
    """Return what a killed writer of a folder has left beside it.

    Nobody may be writing the folder. A folder that the writer had moved away is back in its place
    afterwards.
    """
    folder = folder.resolve()
    draft, old = _beside(folder, "draft"), _beside(folder, "old")
    _restore(folder, old)
    return [path for path in (draft, old) if path.exists()]


def _beside(path: Path, state: str) -> Path:
    return path.with_name(f".{path.name}.{state}")


def _restore(folder: Path, old: Path) -> None:
    if old.exists() and not folder.exists():
        old.rename(folder)


def _flush(folder: Path) -> None:
    """Bring the files to disk before the rename: a power cut then leaves no empty one."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
