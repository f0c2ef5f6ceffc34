"""Small pictures of images, made once and kept below the data root."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import write_bytes
from rolesynth_assets.pictures.thumbnails import fitted
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

SIDE = 384
"""Longest side, pixels: about twice the width at which a grid shows it."""
MEDIA_TYPE = "image/webp"


class Thumbnails:
    """The small pictures of a store's images.

    A withdrawal deletes those of its images (`lineage.withdraw`).

    Args:
        store: holds the images.
    """

    def __init__(self, store: StoreReader) -> None:
        self._store, self._paths, self._lock = store, DataPaths(store.root), Lock()

    def get(self, image: str) -> bytes | None:
        """Return the small picture of an image, as WebP; None if the image is not stored.

        Args:
            image: whole id of the image.
        """
        path = self._paths.thumbnail(image)
        small = _content(path)
        if small is None:
            with self._lock:  # one large image is decoded at a time
                small = _content(path) or self._make(image, path)
        # it is asked after the write: a withdrawal removes the row before it deletes the file
        if small is None or self._store.count("images", where=any_key("image_id", [image])):
            return small
        path.unlink(missing_ok=True)
        return None

    def _make(self, image: str, path: Path) -> bytes | None:
        stored = stored_picture(self._store, image)
        if stored is None:
            return None
        made = io.BytesIO()
        fitted(stored[1], SIDE, SIDE).save(made, "WEBP", quality=82)
        write_bytes(path, made.getvalue())
        return made.getvalue()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a withdrawal may delete it at any time
        return None


def stored_picture(store: StoreReader, image: str) -> tuple[str, bytes] | None:
    """Return media type and bytes of an image; None if it is not stored."""
    rows = store.read("images", None, ["media_type", "data"], any_key("image_id", [image]))
    found = rows.slice(0, 1).to_pylist()
    return (found[0]["media_type"], found[0]["data"]) if found else None
