"""Small benchmarks in the layouts of their publishers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from PIL import Image

SIX = [f"caption {n}" for n in range(6)]


def picture(number: int, extension: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 7), (20 * number % 256, 40, 60)).save(out, format=extension)
    return out.getvalue()


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def coco(root: Path, images: int = 3, split: str = "val2017") -> Path:
    """COCO's own files; the numbers of the images fall, and captions are mixed."""
    numbers = [900 - n for n in range(images)]
    for n in numbers:
        put(root / split / f"{n:012d}.jpg", picture(n))
    content = {
        "info": {},
        "images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in numbers],
        "annotations": [
            {"id": 10 * k + n, "image_id": n, "caption": f"{text} of {n}"}
            for k, text in enumerate(SIX)
            for n in numbers
        ],
    }
    return put(root / "annotations" / f"captions_{split}.json", json.dumps(content))


def karpathy(root: Path, name: str = "coco", folder: str = "val2014") -> Path:
    images = []
    for n, split in enumerate(["train", "test", "restval", "test", "val"]):
        put(root / (folder or "flickr30k-images") / f"{n}.jpg", picture(n))
        image = {"filename": f"{n}.jpg", "split": split, "imgid": n}
        image["sentences"] = [{"raw": f"{text} of {n}", "tokens": text.split()} for text in SIX]
        images.append(image | ({"filepath": folder} if folder else {}))
    return put(root / f"dataset_{name}.json", json.dumps({"images": images, "dataset": name}))


def flickr_csv(root: Path) -> Path:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["raw", "sentids", "split", "filename", "img_id"])
    for n, split in enumerate(["train", "test", "val", "test"]):
        put(root / "flickr30k-images" / f"{n}.jpg", picture(n))
        raw = json.dumps([f'{text} of "{n}", said' for text in SIX[:5]])
        writer.writerow([raw, "[0, 1, 2, 3, 4]", split, f"{n}.jpg", n])
    return put(root / "flickr_annotations_30k.csv", out.getvalue())


def flickr_token(root: Path) -> Path:
    for n in range(4):
        put(root / "flickr30k-images" / f"{n}.jpg", picture(n))
    lines = [f"{n}.jpg#{k}\t{text} of {n}" for n in range(4) for k, text in enumerate(SIX[:5])]
    return put(root / "results_20130124.token", "\n".join(lines) + "\n")


def flickr_bars(root: Path) -> Path:
    for n in range(4):
        put(root / "flickr30k_images" / f"{n}.jpg", picture(n))
    lines = [f"{n}.jpg| {k}| {text} of {n} ." for n in range(4) for k, text in enumerate(SIX[:5])]
    lines[-1] = lines[-1].replace("| caption", "   caption")  # as one row of the real table
    return put(root / "results.csv", "\n".join(["image_name| comment_number| comment", *lines, ""]))


def urban(root: Path) -> None:
    for n in (1, 2, 10):
        put(root / "image" / f"{n}.jpg", picture(n))
        put(root / "caption" / f"{n}.txt", f"street {n}.\nMore of it.\n")


def imagenet(root: Path, wnids: tuple[str, ...] = ("n01443537", "n01440764", "n15075141")) -> None:
    for k, wnid in enumerate(wnids):
        for n in range(k + 1):
            put(root / wnid / f"ILSVRC2012_val_{n}.JPEG", picture(10 * k + n))
