"""Search for files below the data root that still hold a part of an image."""

from __future__ import annotations

import mmap
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader


NEEDLE = 48
"""Bytes of a searched piece; outside their headers, no two images share so many."""

NEEDLES = 9
"""Pieces of an image that are searched for, because a file may hold only some parts of it."""

HEADER = 0.1
"""Share of an image at its beginning and end that is not searched, because others share it."""

COMPARED = 64 << 20
"""Bytes of staying images with which the searched pieces are compared. A piece that occurs in one
is not searched: tables and plain areas of one encoder are the same in all its images."""


def image_needles(store: StoreReader, image_ids: Sequence[str]) -> list[bytes]:
    """Return the pieces to search for, from images that any version of the tables still has.

    Call it before the rows are removed, or at least before a purge.
    """
    found: dict[str, bytes] = {}
    drawn = store.read(
        "candidates", None, ["image_id", "image"], any_key("image_id", image_ids)
    ).to_pylist()
    found |= {row["image_id"]: row["image"] for row in drawn if row["image"]}
    for version in store.versions("images"):
        absent = [image for image in image_ids if image not in found]
        if not absent:
            break
        rows = store.read(
            "images", None, ["image_id", "data"], any_key("image_id", absent), version
        )
        found |= {row["image_id"]: row["data"] for row in rows.to_pylist()}
    others = _staying(store, image_ids)
    return [needle for data in found.values() for needle in needles_of(data, others)]


def _staying(store: StoreReader, image_ids: Sequence[str]) -> list[bytes]:
    """Return images of the latest version except the given ones, at most `COMPARED` bytes."""
    others, size, gone = [], 0, set(image_ids)
    for batch in store.batches("images", None, ["image_id", "data"], batch_rows=256):
        for row in batch.to_pylist():
            if row["image_id"] in gone or row["data"] is None:
                continue
            size += len(row["data"])
            if size > COMPARED:
                return others
            others.append(row["data"])
    return others


def needles_of(data: bytes, others: Sequence[bytes] = ()) -> list[bytes]:
    """Return pieces of an image, by which stored parts of it are found.

    Args:
        data: the encoded image.
        others: images that must not contain a piece; if that leaves no piece, the whole image is
            searched for.
    """
    first, last = int(len(data) * HEADER), int(len(data) * (1 - HEADER)) - NEEDLE
    if last <= first:
        return [data]
    starts = [first + (last - first) * n // (NEEDLES - 1) for n in range(NEEDLES)]
    cut = dict.fromkeys(data[start : start + NEEDLE] for start in starts)
    pieces = [piece for piece in cut if not any(piece in other for other in others)]
    if not pieces:
        return [data]
    # also as base64 text, in which a piece may begin at any of the three bytes of a group
    texts = [b64encode(piece[skip : skip + NEEDLE - 6]) for piece in pieces for skip in range(3)]
    return [*pieces, *(text.rstrip(b"=")[:-1] for text in texts)]


def files_with(root: Path, needles: Sequence[bytes]) -> list[Path]:
    """Return all files under a folder that contain any of the needles; links are not followed."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as map:
            if any(map.find(needle) >= 0 for needle in needles):
                found.append(path)
    return found
