"""Search for files below the data root that still hold a part of an image."""

from __future__ import annotations

import mmap
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.cache import cache_folder
from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.store.lance.rows import refers_to
from rolesynth_assets.store.lance.schemas import TABLES
from rolesynth_assets.store.lance.specification import TableSpec

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
    holders = _holders()
    found: dict[str, set[bytes]] = {}
    for spec, column in holders:
        _add_images(found, store, spec, column, image_ids)
    for spec, column in holders:
        for version in store.versions(spec.name):
            absent = [image for image in image_ids if image not in found]
            if not absent:
                break
            _add_images(found, store, spec, column, absent, version)
    others = _staying(store, image_ids)
    images = sorted({data for same in found.values() for data in same})
    return [needle for data in images for needle in needles_of(data, others)]


def _holders() -> list[tuple[TableSpec, str]]:
    """Tables with bytes made of one image, and the column that names the image."""
    found = []
    for name, spec in TABLES.items():
        columns = [c for c, of in spec.of.items() if of == "images" and c not in spec.joined]
        if any(pa.types.is_binary(field.type) for field in spec.schema):
            found += [(spec, c) for c in ([spec.key] if name == "images" else columns)]
    return found


def _add_images(
    found: dict[str, set[bytes]],
    store: StoreReader,
    spec: TableSpec,
    column: str,
    image_ids: Sequence[str],
    version: int | None = None,
) -> None:
    """Add what a table holds of some images, by image."""
    kept = [field.name for field in spec.schema if pa.types.is_binary(field.type)]
    where = refers_to(spec, column, image_ids)
    for row in store.read(spec.name, None, [column, *kept], where, version).to_pylist():
        data = {row[name] for name in kept if row[name]}
        if data:
            found.setdefault(row[column], set()).update(data)


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


def files_with(root: DataPath, needles: Sequence[bytes]) -> list[DataPath]:
    """Return all files under a data root that contain any of the needles.

    Links are not followed. Decoded pixels are left out: they hold no encoded bytes, and there may
    be many of them. All of a bucket is read, and this machine's copies of it.

    Raises:
        StorageError: the bucket cannot be read.
    """
    if isinstance(root, ObjectPath):
        paths = DataPaths(root)
        local = _files_below(paths.this_machine, needles, paths.pixel_cache)
        copies = _files_below(cache_folder() / "folders", needles, paths.pixel_cache)
        return [*_objects_with(root, needles), *local, *copies]
    return list(_files_below(root, needles, DataPaths(root).pixel_cache))


def _files_below(folder: Path, needles: Sequence[bytes], decoded: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        if path.is_relative_to(decoded):
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as map:
            if any(map.find(needle) >= 0 for needle in needles):
                yield path


def _objects_with(root: ObjectPath, needles: Sequence[bytes]) -> Iterator[ObjectPath]:
    reach = max(map(len, needles), default=1) - 1  # of a needle into the next part
    for path in root.objects():
        end = b""
        try:
            for part in path.stream():
                seen = end + part
                if any(needle in seen for needle in needles):
                    yield path
                    break
                end = seen[-reach:] if reach else b""
        except FileNotFoundError:  # deleted meanwhile
            continue
