"""COCO's own files: ``annotations/captions_val2017.json`` and the images in ``val2017/``.

The 5,000 images of val2017 are what Long-CLIP and its successors report; the first five captions of
an image count, in the order of the file.
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

USUAL_SPLIT = "val2017"


def fits(place: Place) -> bool:
    """Return whether there is a file ``captions_<split>.json``."""
    if place.captions is not None:
        return place.captions.name.startswith("captions_") and place.captions.suffix == ".json"
    return bool(_files(place))


def read(place: Place) -> BenchmarkFiles:
    """Read the images of a split by their number in COCO, each with all of its captions.

    Raises:
        BenchmarkError: the split is not there or not the only one, or the file is not COCO's.
    """
    path = place.captions or _chosen(place)
    content = read_json_file(place, path)
    split = path.stem.removeprefix("captions_")
    try:
        assert isinstance(content, dict)
        names = {image["id"]: str(image["file_name"]) for image in content["images"]}
        captions: dict[int, list[str]] = {number: [] for number in sorted(names)}
        for annotation in content["annotations"]:
            captions[annotation["image_id"]].append(caption_text(annotation["caption"]))
    except (AssertionError, KeyError, TypeError) as error:
        form = "COCO's captions (images, annotations)"
        raise form_fault(place, path, form, error) from error
    if not any(captions.values()):
        raise place.fault(
            f"{path} has no caption: COCO keeps those of its test images secret; set `split`"
        )
    folders = (split, f"images/{split}", "images", "", f"../{split}", "../images", "..")
    return captioned(place, {names[n]: texts for n, texts in captions.items()}, folders)


def _chosen(place: Place) -> Path:
    found = _files(place)
    wanted = place.split or USUAL_SPLIT
    if wanted in found:
        return found[wanted]
    others = [split for split in found if split.startswith("val")] if place.split is None else []
    if len(others) == 1:
        return found[others[0]]
    raise place.fault(
        f"{place.root} has no captions_{wanted}.json but those of {', '.join(found)}; set `split`"
    )


def _files(place: Place) -> dict[str, Path]:
    folders = (place.root / "annotations", place.root)
    return {
        path.stem.removeprefix("captions_"): path
        for folder in folders
        for path in sorted(folder.glob("captions_*.json"))
    }


LAYOUT = Layout("coco_captions", TaskKind.RETRIEVAL, fits, read, usual_captions=5)
