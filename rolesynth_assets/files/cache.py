"""Local copies of what lies in a bucket, below one folder of this machine, which may be deleted.

ROLESYNTH_CACHE or `cache` in rolesynth.yaml names the folder; by default it is `rolesynth` in the
user's cache folder. `cache_gb` bounds the copies of folders.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rolesynth_assets.files.object_path import ObjectPath

DEFAULT_GB = 50.0
"""Room for copies of folders: some hundred checkpoints of CLIP, or a few of a 7B model."""
IN_USE_S = 3600.0  # a copy that was asked for in this time may still be read
_OTHER = re.compile(r"[^A-Za-z0-9]+")


@dataclass(frozen=True)
class _Cache:
    folder: Path | None = None
    max_bytes: int = int(DEFAULT_GB * 1e9)


_in_use = _Cache()


def use_cache(folder: Path | None, max_gb: float) -> None:
    """Set where this process keeps copies, and how much those of folders may take, in GB."""
    global _in_use
    _in_use = _Cache(folder, int(max_gb * 1e9))


def cache_folder() -> Path:
    """Return the folder of this machine's copies; nothing is made."""
    if named := os.environ.get("ROLESYNTH_CACHE"):
        return Path(named).expanduser().resolve()
    if _in_use.folder is not None:
        return _in_use.folder
    user = os.environ.get("XDG_CACHE_HOME")
    return (Path(user) if user else Path.home() / ".cache") / "rolesynth"


def cache_of(root: ObjectPath) -> Path:
    """Return the folder of the copies of one data root, named after its URL and a digest of it."""
    digest = sha256(str(root).encode()).hexdigest()[:12]
    return cache_folder() / f"{_OTHER.sub('-', str(root))[:60].strip('-')}-{digest}"


def max_cache_bytes() -> int:
    """Return how much the copies of folders may take, in bytes."""
    return _in_use.max_bytes


def make_room(folder: Path, keep: Path, max_bytes: int) -> None:
    """Remove the copies that were not used for the longest time, until the others fit.

    A copy that was asked for in the last hour stays, so they may take more for that long.

    Args:
        folder: holds one folder a copy; the time of its last use is that of the folder itself.
        keep: a copy that stays.
        max_bytes: what all may take together, in bytes.
    """
    copies = [
        (copy.stat().st_mtime, _size(copy), copy)
        for copy in folder.iterdir()
        if copy.is_dir() and not copy.name.startswith(".")
    ]
    taken = sum(size for _, size, _ in copies)
    for used, size, copy in sorted(copies):
        if taken <= max_bytes or time.time() - used < IN_USE_S:
            return
        if copy != keep:
            shutil.rmtree(copy, ignore_errors=True)
            taken -= size


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
