"""Encoded images by row address, so that reading them costs what is asked, not what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rolesynth_assets.store.errors import MissingRowError
from rolesynth_assets.store.lance.rows import partition_predicate
from rolesynth_assets.store.lance.schemas import IMAGES

if TYPE_CHECKING:
    import lance

    from rolesynth_assets.store.lance.reader import StoreReader

_ID_CHARS = "S64"  # a sha256 in hex


class ImageRows:
    """Some images of one version of the table, found once and then read by row address.

    Finding them reads the ids of the table once, a second for a million, and keeps 72 bytes an
    image. If a clean-up removes the version meanwhile, the latest one is read.

    Attributes:
        version: the version that is read; 0 if there is no table.
    """

    def __init__(
        self,
        store: StoreReader,
        ids: Sequence[str] | None = None,
        shard: str | None = None,
        version: int | None = None,
    ) -> None:
        """Find images.

        Args:
            store: the tables.
            ids: images to find; all if None. What is not there is noticed when it is read.
            shard: the shard to look in; every one if None.
            version: the version to read; the latest if None.

        Raises:
            MissingVersionError: the version was cleaned up.
        """
        self._store, self._shard = store, shard
        self._asked = None if ids is None else np.unique(np.array(ids, _ID_CHARS))
        self._find(version)

    def read(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Load images.

        Raises:
            MissingRowError: an image is not in the table, or not in the shard.
        """
        found = self.read_known(ids)
        if absent := [image for image in ids if image not in found]:
            where = f"shard {self._shard!r}" if self._shard is not None else "any shard"
            raise MissingRowError(
                f"Table 'images', {where}: {len(absent)} of {len(ids)} images are not there, such "
                f"as {absent[0]}. Materialize image_shards for this shard first."
            )
        return found

    def read_known(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Load images, and leave out those that are not there."""
        try:
            return self._take(ids)
        except (OSError, ValueError):  # its files were removed after a newer version was written
            before = self.version
            self._find(None)
            if self.version == before:
                raise
            return self._take(ids)

    def _find(self, version: int | None) -> None:
        self._dataset: lance.LanceDataset | None = self._store.dataset(IMAGES.name, version)
        self.version = 0 if self._dataset is None else self._dataset.version
        self._ids, self._addresses = np.empty(0, _ID_CHARS), np.empty(0, np.uint64)
        if self._dataset is None or (self._asked is not None and not len(self._asked)):
            return
        where = partition_predicate(IMAGES, None if self._shard is None else {"shard": self._shard})
        scanner = self._dataset.scanner(columns=[IMAGES.key], filter=where, with_row_id=True)
        ids, addresses = [], []
        for batch in scanner.to_batches():
            here = _as_bytes(batch[IMAGES.key])
            wanted = slice(None) if self._asked is None else _places(self._asked, here)[1]
            ids.append(here[wanted])
            addresses.append(batch["_rowid"].to_numpy()[wanted])
        if not ids:
            return
        every, first = np.unique(np.concatenate(ids), return_index=True)
        self._ids, self._addresses = every, np.concatenate(addresses)[first]

    def _take(self, ids: Sequence[str]) -> dict[str, bytes]:
        asked = np.array(ids, _ID_CHARS)
        if not len(asked) or self._dataset is None or not len(self._ids):
            return {}
        places, there = _places(self._ids, asked)
        addresses = np.unique(self._addresses[places[there]])
        rows = self._dataset._take_rows(addresses.tolist(), [IMAGES.key, "data"])
        return dict(zip(rows[IMAGES.key].to_pylist(), rows["data"].to_pylist(), strict=True))


def _as_bytes(ids: pa.Array) -> np.ndarray:
    """Return ids as fixed-size bytes, which take a third of the memory of Python strings."""
    try:
        fixed = ids.cast(pa.binary(64))
    except pa.ArrowInvalid:  # ids of another length
        return np.array(ids.to_pylist(), _ID_CHARS)
    return np.frombuffer(fixed.buffers()[1], _ID_CHARS, len(fixed), 64 * fixed.offset)


def _places(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the ids are in the sorted `known`, and which of them are there at all."""
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return places, known[places] == asked
