"""All small files of one kind, read at once; those of a bucket from copies that are up to date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from rolesynth_assets.files.cache import cache_folder, make_room, max_cache_bytes
from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.parallel.lookahead import in_order

READS_AT_ONCE = 16  # a request takes some 20 ms, whatever the size of a small object


def read_all(folder: DataPath, suffix: str) -> Iterator[tuple[DataPath, bytes]]:
    """Yield the files of a folder that end with `suffix`, sorted by name, with their contents.

    Hidden ones are left out, such as those that macOS puts beside files on a share. A bucket is
    listed once; what has changed since the last call is requested, many at a time.

    Raises:
        OSError: a file cannot be read.
    """
    if isinstance(folder, Path):
        for path in sorted(folder.glob(f"[!.]*{suffix}")):
            yield path, path.read_bytes()
        return
    copies = cache_folder() / "folders" / f"files-{sha256(str(folder).encode()).hexdigest()[:24]}"
    copies.mkdir(parents=True, exist_ok=True)
    os.utime(copies)
    listed = [
        (path, tag)
        for path, _, tag in folder.listing()
        if path.parent == folder and path.name.endswith(suffix) and not path.name.startswith(".")
    ]
    yield from in_order(lambda found: _read(*found, copies), sorted(listed), READS_AT_ONCE)
    names = {_copy_name(path, tag) for path, tag in listed}
    for old in copies.iterdir():
        if old.name not in names:
            old.unlink(missing_ok=True)
    make_room(copies.parent, copies, max_cache_bytes())


def _read(path: ObjectPath, tag: str, copies: Path) -> tuple[DataPath, bytes]:
    copy = copies / _copy_name(path, tag)
    try:
        return path, copy.read_bytes()
    except FileNotFoundError:
        content = path.read_bytes()
    draft = copies / f".{uuid4().hex}"
    draft.write_bytes(content)
    draft.replace(copy)
    return path, content


def _copy_name(path: ObjectPath, tag: str) -> str:
    return sha256(f"{path}\n{tag}".encode()).hexdigest()
