"""Karpathy's splits of COCO and Flickr30k: ``dataset_coco.json``, ``dataset_flickr30k.json``.

The split ``test`` is the usual one: 5,000 images of COCO's val2014, 1,000 of Flickr30k. The first
five captions of an image count.
"""

from __future__ import annotations

from pathlib import Path

from rolesynth_assets.benchmarks.layouts.files import (
    BenchmarkFiles,
    Layout,
    Place,
    caption_text,
    captioned,
    form_fault,
    read_json_file,
)
from rolesynth_assets.benchmarks.tasks import TaskKind

USUAL_SPLIT = "test"
FOLDERS = ("", "images", "flickr30k-images", "flickr30k_images", "Images", "Flicker8k_Dataset")
FOLDERS += ("flickr30k_images/flickr30k_images", "..")


def fits(place: Place) -> bool:
    """Return whether there is a file ``dataset_<name>.json``."""
    if place.captions is not None:
        return place.captions.name.startswith("dataset_") and place.captions.suffix == ".json"
    return bool(_files(place))


def read(place: Place) -> BenchmarkFiles:
    """Read the images of a split in the order of the file.

    Raises:
        BenchmarkError: there are several files, the split is empty, or the file is not Karpathy's.
    """
    path = place.captions or _only(place)
    content = read_json_file(place, path)
    wanted = place.split or USUAL_SPLIT
    captions: dict[str, list[str]] = {}
    splits = set()
    try:
        assert isinstance(content, dict)
        for image in content["images"]:
            splits.add(str(image["split"]))
            if image["split"] == wanted:
                folder = str(image.get("filepath") or "")
                name = f"{folder}/{image['filename']}" if folder else str(image["filename"])
                captions[name] = [caption_text(one["raw"]) for one in image["sentences"]]
    except (AssertionError, KeyError, TypeError) as error:
        form = "Karpathy's splits (images with split and sentences)"
        raise form_fault(place, path, form, error) from error
    if not captions:
        raise place.fault(f"{path} has no split {wanted!r} but {', '.join(sorted(splits))}")
    return captioned(place, captions, FOLDERS)


def _only(place: Place) -> Path:
    found = _files(place)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise place.fault(f"{place.root} has {names}; name one of them under `annotations`")
    return found[0]


def _files(place: Place) -> list[Path]:
    folders = (place.root, place.root / "annotations")
    return sorted(path for folder in folders for path in folder.glob("dataset_*.json"))


LAYOUT = Layout("karpathy", TaskKind.RETRIEVAL, fits, read, usual_captions=5)
