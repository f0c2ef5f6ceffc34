"""ImageNet and its relatives as folders of images by WordNet id: ``val/n01440764/*.JPEG``.

The classes are those that have a folder, so ImageNet-O counts its own 200. Class names and
templates are ``classnames.txt`` and ``zeroshot_classification_templates.txt`` beside the folders,
if they are there; else OpenAI's curated names and 80 templates, as open_clip has them. The folders
of ImageNet-V2 are class numbers from 0.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from rolesynth_assets.benchmarks.layouts.clip_benchmark import (
    CLASSES_FILE,
    TEMPLATES_FILE,
    read_lines,
)
from rolesynth_assets.benchmarks.layouts.files import (
    IMAGE_EXTENSIONS,
    BenchmarkFiles,
    Blob,
    Layout,
    Place,
    Sample,
)
from rolesynth_assets.benchmarks.tasks import TaskKind

USUAL_SPLITS = ("val", "validation", "test", "")
_WNIDS = Path(__file__).parent / "imagenet_wnids.txt"
_CLASS = re.compile(r"n\d{8}|\d{1,3}")


def fits(place: Place) -> bool:
    """Return whether there are folders named by WordNet ids, or by numbers."""
    return place.captions is None and _folder(place) is not None


def read(place: Place) -> BenchmarkFiles:
    """Read the images of all classes, class by class.

    Raises:
        BenchmarkError: a folder is no class of ImageNet and there are no class names beside it, or
            a class has no image.
    """
    folder = _folder(place)
    assert folder is not None  # it fits
    classes = _classes(folder)
    samples = []
    for label, path in enumerate(classes):
        images = sorted(
            file
            for file in path.iterdir()
            if file.suffix[1:].lower() in IMAGE_EXTENSIONS and not file.name.startswith(".")
        )
        if not images:
            raise place.fault(f"{path} has no image; complete the download")
        samples += [Sample(str(file), Blob(file), label=label) for file in images]
    names = _own(place, CLASSES_FILE) or _curated(place, classes)
    if len(names) != len(classes):
        raise place.fault(
            f"{CLASSES_FILE} has {len(names)} names for {len(classes)} folders of {folder}"
        )
    return BenchmarkFiles(samples, names, _own(place, TEMPLATES_FILE) or _templates())


def _own(place: Place, name: str) -> tuple[str, ...]:
    path = place.root / name
    return tuple(read_lines(path)) if path.is_file() else ()


def _curated(place: Place, classes: list[Path]) -> tuple[str, ...]:
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    labels = {wnid: number for number, wnid in enumerate(_wnids())}
    labels |= {str(number): number for number in range(len(labels))}
    strange = [path.name for path in classes if path.name not in labels]
    if strange:
        raise place.fault(
            f"{len(strange)} folders of {classes[0].parent}, such as {strange[0]}, are no classes "
            f"of ImageNet-1k: write {CLASSES_FILE} with a name for each folder, in their order"
        )
    return tuple(IMAGENET_CLASSNAMES[labels[path.name]] for path in classes)


def _templates() -> tuple[str, ...]:
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{c}") for template in OPENAI_IMAGENET_TEMPLATES)


@lru_cache(maxsize=1)
def _wnids() -> list[str]:
    """Return the WordNet ids of the 1,000 classes in label order, as timm lists them."""
    return _WNIDS.read_text(encoding="ascii").split()


def _folder(place: Place) -> Path | None:
    splits = USUAL_SPLITS if place.split is None else (place.split, "")
    return next((place.root / name for name in splits if _classes(place.root / name)), None)


def _classes(folder: Path) -> list[Path]:
    """Return the folders of classes in label order; empty unless all are such folders."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if len(found) < 2 or not all(_CLASS.fullmatch(path.name) for path in found):
        return []
    return sorted(found, key=lambda path: (len(path.name), path.name))


LAYOUT = Layout("imagenet", TaskKind.CLASSIFICATION, fits, read)
