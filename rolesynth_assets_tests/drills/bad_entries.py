"""One bad entry in a folder of good pictures: the others are read, the bad one has a reason."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from rolesynth_assets_tests.drills.outcome import Outcome, Size

GOOD = 3


def _self_linked(folder: Path, size: Size) -> None:
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")


def _broken_parquet(folder: Path, size: Size) -> None:
    (folder / "table.parquet").write_bytes(b"PAR1 and no more")


def _broken_lance(folder: Path, size: Size) -> None:
    versions = folder / "table.lance" / "_versions"
    versions.mkdir(parents=True)
    (versions / "1.manifest").write_bytes(b"no manifest")


def _broken_tar(folder: Path, size: Size) -> None:
    (folder / "table.tar").write_bytes(b"no tar" * 1000)


def _nested_folders(folder: Path, size: Size) -> None:
    here = os.open(folder, os.O_RDONLY)  # the whole path is longer than the system takes
    for _ in range(3000 if size == "long" else 1200):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def _remove_nested(folder: Path) -> None:
    """Remove what `shutil.rmtree` is too recursive for."""
    top = os.open(folder, os.O_RDONLY)
    while True:
        try:
            below = os.open("d/d", os.O_RDONLY, dir_fd=top)
        except FileNotFoundError:
            break
        os.close(below)
        os.rename("d/d", "rest", src_dir_fd=top, dst_dir_fd=top)
        os.rmdir("d", dir_fd=top)
        os.rename("rest", "d", src_dir_fd=top, dst_dir_fd=top)
    os.close(top)


_KINDS: tuple[tuple[Callable[[Path, Size], None], str], ...] = (
    (_self_linked, "unreadable"),
    (_broken_parquet, "broken_archive"),
    (_broken_lance, "broken_archive"),
    (_broken_tar, "broken_archive"),
    (_nested_folders, "too_deep"),
)


FAULTS = ["a self-linked file, broken table or tar, or 3,000 nested folders beside good pictures"]


def kept(make: Callable[[Path, Size], None], reason: str, size: Size) -> bool:
    """Whether the good pictures of a folder are read, and one bad entry gives `reason`."""
    from PIL import Image

    from rolesynth_assets.images.shards.registry import register_path
    from rolesynth_assets.images.sync import sync_shard
    from rolesynth_assets.store.lance.store import Store

    with tempfile.TemporaryDirectory() as place:
        root, folder = Path(place) / "data", Path(place) / "pictures"
        folder.mkdir()
        for number in range(GOOD):
            Image.new("RGB", (40, 40), (number, 0, 0)).save(folder / f"{number}.png")
        make(folder, size)
        try:
            shards = register_path(root, folder, "pictures")
            reports = [sync_shard(Store(root), root, shard.key) for shard in shards]
        finally:
            _remove_nested(folder)
        rejects = [why for report in reports for why in report.rejects.elements()]
        return sum(report.images for report in reports) == GOOD and set(rejects) == {reason}


def run(size: Size) -> list[Outcome]:
    """Put each kind of bad entry beside good pictures."""
    held = sum(kept(make, reason, size) for make, reason in _KINDS)
    return [Outcome(FAULTS[0], len(_KINDS), held, "a reject; the good pictures are read")]
