"""Flickr30k's tables: ``results_20130124.token``, ``results.csv``, ``flickr_annotations_30k.csv``.

Only the last of them has splits. For the others, a list of the test images decides, one name or
number a line, in a file such as ``test.txt`` or ``flickr30k_test.txt``; ``split: all`` reads all
31,783 images, whose numbers cannot be compared with those of the 1,000 test images. The first five
captions of an image count.
"""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.benchmarks.layouts.files import (
    BenchmarkFiles,
    Layout,
    Place,
    captioned,
    read_text,
)
from rolesynth_assets.benchmarks.tasks import TaskKind

USUAL_SPLIT = "test"
EVERYTHING = "all"
PATTERNS = ("*.token", "flickr_annotations*.csv", "*flickr*.csv", "results*.csv", "captions.txt")
PATTERNS += ("flickr30k_*_karpathy.txt",)
FOLDERS = ("flickr30k-images", "flickr30k_images", "images", "Images", "")
FOLDERS += ("flickr30k_images/flickr30k_images", "../flickr30k-images", "../images", "..")
_TOKEN = re.compile(r"(?P<image>[^\t#]+\.\w+)#\d+\s+(?P<caption>.+)")
# one row of Kaggle's table lacks its second bar
_BARRED = re.compile(r"(?P<image>[^|]+\.\w+)\s*\|\s*\d+\s*\|?\s*(?P<caption>.*)")
Row = tuple[str, str, str]
"""Image, caption and split; the split is empty if the table has none."""


def fits(place: Place) -> bool:
    """Return whether there is a table of captions under one of its usual names."""
    if place.captions is not None:
        return any(place.captions.match(pattern) for pattern in (*PATTERNS, "*.csv"))
    return bool(_tables(place))


def read(place: Place) -> BenchmarkFiles:
    """Read the images of a split in the order of the table.

    Raises:
        BenchmarkError: a row cannot be read, or the table does not say which images are the split.
    """
    path = place.captions or _tables(place)[0]
    wanted = place.split or USUAL_SPLIT
    captions: dict[str, list[str]] = defaultdict(list)
    splits: set[str] = set()
    for image, caption, split in _rows(place, path):
        splits.add(split)
        if wanted == EVERYTHING or split in ("", wanted):
            captions[image].append(caption)
    if splits == {""} and wanted != EVERYTHING and wanted not in path.stem:
        listed = _listed(place, wanted)
        captions = {
            name: texts
            for name, texts in captions.items()
            if name in listed or name.rpartition(".")[0] in listed
        }
    if not captions:
        known = ", ".join(sorted(splits - {""})) or "none"
        raise place.fault(f"{path} has no image of the split {wanted!r}; its splits: {known}")
    return captioned(place, captions, FOLDERS)


def _rows(place: Place, path: Path) -> Iterator[Row]:
    text = read_text(place, path)
    if path.suffix == ".token":
        return _matched(place, path, text.splitlines(), _TOKEN)
    header, _, rest = text.partition("\n")
    if "|" in header:
        return _matched(place, path, rest.splitlines(), _BARRED)
    return _comma_separated(place, path, text)


def _matched(place: Place, path: Path, lines: list[str], row: re.Pattern[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        match = row.fullmatch(line.strip())
        if match:
            yield match["image"].strip(), match["caption"].strip(), ""
        elif line.strip():
            raise place.fault(f"{path}: row {number} has no image and caption: {line[:80]!r}")


def _comma_separated(place: Place, path: Path, text: str) -> Iterator[Row]:
    csv.field_size_limit(2**24)
    reader = csv.DictReader(io.StringIO(text))
    columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
    image = columns.get("filename") or columns.get("image") or columns.get("image_name")
    caption = columns.get("raw") or columns.get("caption") or columns.get("comment")
    if image is None or caption is None:
        raise place.fault(
            f"{path} has the columns {', '.join(columns)}, but needs filename and raw, or image "
            "and caption"
        )
    split = columns.get("split")
    for row in reader:
        for one in _sentences(row[caption] or ""):
            yield (row[image] or "").strip(), one, (row[split] or "").strip() if split else ""


def _sentences(cell: str) -> list[str]:
    """Return the captions of a cell: one, or a list spelled as JSON or Python."""
    if not cell.lstrip().startswith("["):
        return [cell.strip()]
    try:
        return [str(one) for one in json.loads(cell)]
    except ValueError:
        try:
            return [str(one) for one in ast.literal_eval(cell.strip())]
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return [cell.strip()]


def _listed(place: Place, split: str) -> set[str]:
    names = [f"{split}.txt", f"flickr30k_{split}.txt", f"flickr30k_{split}_images.txt"]
    for folder in (place.root, place.root / "splits", place.root / "annotations"):
        for path in (folder / name for name in names):
            if path.is_file():
                return {line.strip() for line in read_text(place, path).splitlines()} - {""}
    raise place.fault(
        f"the table of captions in {place.root} has no splits: put the names of the {split} images "
        f"into {split}.txt beside it, use Karpathy's dataset_flickr30k.json, or set split: all"
    )


def _tables(place: Place) -> list[Path]:
    folders = (place.root, place.root / "annotations", place.root / "Sentences")
    return [p for pattern in PATTERNS for folder in folders for p in sorted(folder.glob(pattern))]


LAYOUT = Layout("flickr30k", TaskKind.RETRIEVAL, fits, read, usual_captions=5)
