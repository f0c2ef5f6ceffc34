"""Decoded images on disk, one file of rows for each geometry, shared by all trainings.

An image is a row, so trainings of other recipes, seeds and selections find it, and a new image
costs one row. The file of rows is written by several processes at a time and read without a lock:
each row's checksum is in the index, and a row with another content than that counts as not stored.
The folder may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.errors import StoreError
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Withdrawn

LOCK = "pixel_cache"
"""Name of the lock that writers hold."""
_RECORD = np.dtype([("key", "<u8", 2), ("check", "<u4"), ("held", "<u4")])
_ROWS, _INDEX = "rows", "index"


class PixelRows:
    """The stored rows of the images of one training.

    Args:
        root: data root.
        geometry: what the pixels depend on beside the image.
        row_bytes: bytes of one decoded image.
        image_ids: the training's images; they are named by their index from here on.
        most_bytes: most disk space of all geometries together.
    """

    def __init__(
        self,
        root: DataPath | str,
        geometry: str,
        row_bytes: int,
        image_ids: Sequence[str],
        most_bytes: int,
    ) -> None:
        self._root, self._row_bytes, self._ids = root, row_bytes, image_ids
        name = f"{digest('pixels', geometry)[:16]}-{row_bytes}"
        self._folder = DataPaths(root).pixel_cache / name
        self._withdrawn = Withdrawn(SmallTables(root))
        self._keys = _keys(image_ids)
        self._order = np.argsort(self._keys[:, 0], kind="stable")
        self._rows = np.full(len(image_ids), -1, np.int64)
        self._checks = np.zeros(len(image_ids), np.uint32)
        self._read_records = 0
        self._full = False
        with writer_lock(str(DataPaths(root).this_machine), LOCK):
            if _size(self._folder) > most_bytes:  # the bound was lowered
                shutil.rmtree(self._folder)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._most_rows = self._room(most_bytes) // row_bytes
            flags = os.O_RDWR | os.O_CREAT
            self._pixels = os.open(self._folder / _ROWS, flags, 0o644)
            self._index = os.open(self._folder / _INDEX, flags, 0o644)
            os.utime(self._folder)
            self._refresh()

    @property
    def held(self) -> int:
        """How many of the training's images are stored, as far as it is known."""
        return int((self._rows >= 0).sum())

    def read(self, images: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Read rows.

        Args:
            images: indices of shape (N,).
            out: where the pixels go, uint8 of shape (N, height, width, 3).

        Returns:
            Which of them are stored, bool of shape (N,); the others in `out` mean nothing.
        """
        found = self._rows[images] >= 0
        for place in np.flatnonzero(found):
            image = images[place]
            at = int(self._rows[image]) * self._row_bytes
            try:
                size = os.preadv(self._pixels, [out[place].data], at)
            except OSError:
                size = 0
            if size != self._row_bytes or zlib.crc32(out[place].data) != self._checks[image]:
                self._rows[image], found[place] = -1, False
        return found

    def add(self, images: np.ndarray, pixels: np.ndarray) -> None:
        """Store rows, as many as there is room for; images that were withdrawn are not kept.

        A disk that is full or fails ends the storing with a warning, and the training goes on.

        Args:
            images: distinct indices of shape (N,).
            pixels: uint8 of shape (N, height, width, 3).
        """
        if self._full:
            return
        try:
            with writer_lock(str(DataPaths(self._root).this_machine), LOCK):
                self._refresh()
                stays = ~np.isin(images, self._gone())
                self._write(np.flatnonzero((self._rows[images] < 0) & stays), images, pixels)
            gone = self._gone()
            if (self._rows[gone] >= 0).any():
                forget_pixels(self._root, [self._ids[int(image)] for image in gone])
                self._rows[gone] = -1
        except (OSError, StoreError) as error:
            self._full = True
            _warn(self._folder, error)

    def close(self) -> None:
        """Close the files."""
        os.close(self._pixels)
        os.close(self._index)

    def _gone(self) -> np.ndarray:
        """Return the images that are withdrawn by now."""
        images = self._images_of(_keys([*self._withdrawn]))
        return images[images >= 0]

    def _write(self, new: np.ndarray, images: np.ndarray, pixels: np.ndarray) -> None:
        rows = self._free_rows(len(new))
        self._full = len(rows) < len(new)
        for place, row in zip(new, rows.tolist(), strict=False):
            image, record = images[place], np.zeros(1, _RECORD)
            check = zlib.crc32(pixels[place].data)
            record["key"], record["check"], record["held"] = self._keys[image], check, 1
            _write_all(self._pixels, pixels[place], row * self._row_bytes)
            _write_all(self._index, record, row * _RECORD.itemsize)
            self._checks[image] = check
            self._rows[image] = row

    def _free_rows(self, count: int) -> np.ndarray:
        """Return rows to write to: new ones, then those of images that are not trained on here."""
        size = os.fstat(self._index).st_size // _RECORD.itemsize
        new = np.arange(size, max(size, min(size + count, self._most_rows)))
        if len(new) == count:
            return new
        records = self._records(0)
        free = np.flatnonzero((records["held"] == 0) | (self._images_of(records["key"]) < 0))
        return np.concatenate([new, free[: count - len(new)]])

    def _refresh(self) -> None:
        """Learn of the rows that were added since the last look, by whomever."""
        records = self._records(self._read_records)
        rows = self._read_records + np.flatnonzero(records["held"])
        records = records[records["held"] > 0]
        images = self._images_of(records["key"])
        mine = images >= 0
        self._checks[images[mine]] = records["check"][mine]  # first: rows are read meanwhile
        self._rows[images[mine]] = rows[mine]
        self._read_records = os.fstat(self._index).st_size // _RECORD.itemsize

    def _records(self, first: int) -> np.ndarray:
        size = os.fstat(self._index).st_size // _RECORD.itemsize - first
        read = os.pread(self._index, max(0, size) * _RECORD.itemsize, first * _RECORD.itemsize)
        return np.frombuffer(read, _RECORD, len(read) // _RECORD.itemsize)

    def _images_of(self, keys: np.ndarray) -> np.ndarray:
        """Return the index of the image with each key, -1 where it is another training's."""
        ordered = self._keys[self._order]
        places = np.minimum(np.searchsorted(ordered[:, 0], keys[:, 0]), len(ordered) - 1)
        return np.where((ordered[places] == keys).all(axis=1), self._order[places], -1)

    def _room(self, most_bytes: int) -> int:
        """Return the bytes that this geometry may take, and delete others that are in the way.

        At most half of the free disk is taken. The geometry that was not used for longest goes
        first.
        """
        others = [path for path in self._folder.parent.iterdir() if path != self._folder]
        others.sort(key=lambda path: path.stat().st_mtime)
        wanted = len(self._ids) * self._row_bytes
        while others and wanted + sum(map(_size, others)) > most_bytes:
            shutil.rmtree(others.pop(0), ignore_errors=True)
        free = shutil.disk_usage(self._folder).free // 2
        return min(most_bytes - sum(map(_size, others)), _size(self._folder) + free)


def open_rows(
    root: DataPath | str, geometry: str, row_bytes: int, image_ids: Sequence[str], most_bytes: int
) -> PixelRows | None:
    """Open the stored rows of a training's images, or return None if none can be kept.

    The arguments are those of `PixelRows`. A bound of 0 deletes what earlier trainings have kept.
    """
    if most_bytes <= 0:
        shutil.rmtree(DataPaths(root).pixel_cache, ignore_errors=True)
        return None
    try:
        return PixelRows(root, geometry, row_bytes, image_ids, most_bytes)
    except (OSError, StoreError) as error:
        _warn(DataPaths(root).pixel_cache, error)
        return None


def forget_pixels(root: DataPath | str, image_ids: Iterable[str]) -> int:
    """Overwrite the rows of withdrawn images.

    A training that is at work cannot store them again, because it looks for tombstones after it
    has stored something.

    Returns:
        The number of rows.

    Raises:
        StoreError: another process has been writing rows for too long.
    """
    keys, forgotten = _keys(list(image_ids)), 0
    cache = DataPaths(root).pixel_cache
    if not cache.is_dir():
        return 0
    with writer_lock(str(DataPaths(root).this_machine), LOCK):
        for file in cache.glob(f"*/{_INDEX}"):
            forgotten += _forget(file.parent, keys)
    return forgotten


def _forget(folder: Path, keys: np.ndarray) -> int:
    row_bytes, gone = int(folder.name.partition("-")[2]), set(map(tuple, keys.tolist()))
    with (folder / _INDEX).open("r+b") as index, (folder / _ROWS).open("r+b") as pixels:
        records = np.frombuffer(index.read(), _RECORD)
        similar = np.flatnonzero(np.isin(records["key"][:, 0], keys[:, 0]))
        rows = [row for row in similar.tolist() if tuple(records["key"][row].tolist()) in gone]
        for row in rows:
            _write_all(pixels.fileno(), np.zeros(row_bytes, np.uint8), row * row_bytes)
            _write_all(index.fileno(), np.zeros(1, _RECORD), row * _RECORD.itemsize)
        for file in (pixels, index):
            os.fsync(file.fileno())
    return len(rows)


def _keys(image_ids: Sequence[str]) -> np.ndarray:
    """Return a number of 128 bits for each image, uint64 of shape (N, 2)."""
    hashed = b"".join(hashlib.blake2b(i.encode(), digest_size=16).digest() for i in image_ids)
    return np.frombuffer(hashed, "<u8").reshape(-1, 2)


def _write_all(file: int, data: np.ndarray, at: int) -> None:
    if os.pwrite(file, data.tobytes(), at) != data.nbytes:  # a full disk may take a part
        raise OSError("the disk took only a part of a row")


def _size(folder: Path) -> int:
    """Return the size of a geometry's rows, bytes; 0 if it has none."""
    file = folder / _ROWS
    return file.stat().st_size if file.is_file() else 0


def _warn(folder: Path, error: Exception) -> None:
    logging.getLogger("rolesynth").warning(
        "decoded images are not kept in %s (%s); they are decoded again when they are needed",
        folder,
        error,
    )
