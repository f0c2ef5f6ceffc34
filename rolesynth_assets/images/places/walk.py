"""The files of a local folder and of the folders below it, links to folders included."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.images.places.paths import is_hidden

UNFINISHED = {".part", ".partial", ".tmp", ".crdownload", ".download"}
"""Extensions of files that are still being written."""


def walk(folder: Path, max_depth: int) -> Iterator[Path]:
    """Yield the regular files and Lance datasets below `folder`, in sorted order.

    A link to a folder is followed, unless the folder is read under its own name anyway. Entries
    that cannot be inspected are yielded too, so that reading them gives the reason: a folder that
    is nested too deep or cannot be opened, a link that leads to nothing, to itself or to a folder
    around this one.
    """
    roots = [os.path.realpath(folder)]  # of what is read
    open_folders = [iter(_listed(folder))]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
            continue
        path = Path(entry.path)
        if is_hidden(entry.name) or path.suffix.lower() in UNFINISHED:
            continue
        try:
            is_folder = entry.is_dir()
            if not is_folder or is_lance(path):
                if is_folder or entry.is_file() or is_dangling(path):
                    yield path
                continue
            if entry.is_symlink():
                target = os.path.realpath(path)
                if any(_is_read(target, root) for root in roots):
                    continue
                if any(_is_below(root, target) for root in roots):
                    yield path
                    continue
                roots.append(target)
            if len(open_folders) > max_depth:
                yield path
                continue
            open_folders.append(iter(_listed(path)))
        except OSError:
            yield path


def is_lance(path: Path) -> bool:
    """Whether a folder is a Lance dataset."""
    try:
        return (path / "_versions").is_dir()
    except OSError:
        return False


def is_dangling(path: Path) -> bool:
    """Whether a path is a link that leads to nothing."""
    return os.path.islink(path) and not os.path.exists(path)


def _is_read(target: str, root: str) -> bool:
    """Whether a folder is reached from `root` by names that are not hidden."""
    return target == root or (
        _is_below(target, root) and not is_hidden(os.path.relpath(target, root))
    )


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/")


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)
