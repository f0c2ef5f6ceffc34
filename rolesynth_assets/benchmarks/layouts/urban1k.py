"""Urban1k as Long-CLIP ships it: ``image/1.jpg`` with ``caption/1.txt``.

The caption is the first line of its file, as in Long-CLIP's own evaluation.
"""

from __future__ import annotations

from pathlib import Path

from rolesynth_assets.benchmarks.layouts.files import (
    IMAGE_EXTENSIONS,
    BenchmarkFiles,
    Blob,
    Layout,
    Place,
    Sample,
    read_text,
)
from rolesynth_assets.benchmarks.tasks import TaskKind


def fits(place: Place) -> bool:
    """Return whether there are the folders ``image`` and ``caption``."""
    return place.captions is None and _folder(place) is not None


def read(place: Place) -> BenchmarkFiles:
    """Read the pairs by their number.

    Raises:
        BenchmarkError: an image has no caption, or a caption no image.
    """
    folder = _folder(place)
    assert folder is not None  # it fits
    images = {
        path.stem: path
        for path in (folder / "image").iterdir()
        if path.suffix[1:].lower() in IMAGE_EXTENSIONS and not path.name.startswith(".")
    }
    texts = {
        path.stem: path
        for path in (folder / "caption").glob("*.txt")
        if not path.name.startswith(".")
    }
    if lone := sorted(set(images) ^ set(texts), key=_order):
        of = images.get(lone[0]) or texts[lone[0]]
        raise place.fault(
            f"{of} has no {'caption' if lone[0] in images else 'image'} of its name ({len(lone)} "
            "such files); complete the download"
        )
    samples = []
    for name in sorted(images, key=_order):
        lines = [line.strip() for line in read_text(place, texts[name]).splitlines()]
        captions = tuple(line for line in lines if line)[:1]
        samples.append(Sample(str(images[name]), Blob(images[name]), captions))
    return BenchmarkFiles(samples)


def _order(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (2**62, name)


def _folder(place: Place) -> Path | None:
    for folder in (place.root, place.root / "Urban1k"):
        if (folder / "image").is_dir() and (folder / "caption").is_dir():
            return folder
    return None


LAYOUT = Layout("urban1k", TaskKind.RETRIEVAL, fits, read, usual_captions=1)
