"""Tombstones of images that were withdrawn and must not be ingested again."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.data_paths import DataPaths

if TYPE_CHECKING:
    from rolesynth_assets.store.warehouse.snapshot import TableReader
    from rolesynth_assets.store.warehouse.warehouse import Warehouse

CLOCK_NS = 100_000_000
"""Nanoseconds within which two changes of a file may have the same time stamp."""


@dataclass(frozen=True)
class Tombstone:
    """One withdrawn image.

    Attributes:
        image_id: sha256 of its source bytes.
        reason: reason for the withdrawal, as a person gave it.
        withdrawn_at: time of the withdrawal, ISO 8601 in UTC.
        shards: image shards that held it.
        sources: files or tar members that it was read from, which the platform does not delete.
    """

    image_id: str
    reason: str
    withdrawn_at: str
    shards: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """The detail of the reject if the image is ingested again, one line."""
        return f"withdrawn on {self.withdrawn_at[:10]}: {self.reason}"


def now() -> str:
    """Return the current time for a tombstone, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_tombstones(warehouse: TableReader) -> dict[str, Tombstone]:
    """Return all tombstones by image id."""
    rows = warehouse.read("tombstones").sort("image_id")
    return {
        row["image_id"]: Tombstone(
            image_id=row["image_id"],
            reason=row["reason"],
            withdrawn_at=row["withdrawn_at"],
            shards=tuple(row["shards"].split()),
            sources=tuple(row["sources"].splitlines()),
        )
        for row in rows.iter_rows(named=True)
    }


def withdrawn_images(root: Path | str) -> list[str]:
    """Return the ids of all images below a data root that are withdrawn now.

    A withdrawal writes the tombstone first and then removes rows and files. A writer that asks for
    them after its write therefore sees the tombstone, or the withdrawal finds what was written.
    """
    from rolesynth_assets.store.warehouse.warehouse import Warehouse

    return [*read_tombstones(Warehouse(DataPaths(root).warehouse))]


def write_tombstone(warehouse: Warehouse, tombstone: Tombstone) -> None:
    """Store a tombstone, replacing an earlier one of the same image."""
    import polars as pl

    row = {
        "image_id": tombstone.image_id,
        "reason": tombstone.reason,
        "withdrawn_at": tombstone.withdrawn_at,
        "shards": " ".join(tombstone.shards),
        "sources": "\n".join(tombstone.sources),
    }
    warehouse.replace("tombstones", {"image_id": tombstone.image_id}, pl.DataFrame([row]))


def lift_tombstones(warehouse: Warehouse, image_ids: Collection[str]) -> list[Tombstone]:
    """Remove tombstones, so that the images may be ingested again.

    Returns:
        The removed tombstones.
    """
    standing = read_tombstones(warehouse)
    lifted = [standing[image] for image in sorted(set(image_ids)) if image in standing]
    for tombstone in lifted:
        where = {"image_id": tombstone.image_id}
        for table in ("tombstones", "tombstone_artefacts"):
            warehouse.replace(table, where, warehouse.read(table, where).clear())
    return lifted


class Withdrawn(Mapping[str, str]):
    """The current line of each tombstone (`Tombstone.says`) by image id.

    It is for long work, during which a person may withdraw an image. An access reads the time stamp
    of the warehouse file, which takes some microseconds, and the tombstones if it has changed.
    """

    def __init__(self, warehouse: Warehouse) -> None:
        """Prepare without reading anything."""
        self._warehouse = warehouse
        self._files = (str(warehouse.path), f"{warehouse.path}.wal")
        self._seen: tuple[tuple[int, int], ...] | None = None
        self._says: dict[str, str] = {}

    def __getitem__(self, image_id: str) -> str:
        """Return the line of an image's tombstone."""
        return self._current()[image_id]

    def __contains__(self, image_id: object) -> bool:
        """Return whether an image was withdrawn."""
        return image_id in self._current()

    def __iter__(self) -> Iterator[str]:
        """Yield the ids of all withdrawn images."""
        return iter(self._current())

    def __len__(self) -> int:
        """Return the number of withdrawn images."""
        return len(self._current())

    def _current(self) -> dict[str, str]:
        present = tuple(map(_stamp, self._files))
        if present != self._seen:
            read = read_tombstones(self._warehouse)
            self._says = {image: stone.says for image, stone in read.items()}
            # a file that has just changed may change again with the same time stamp
            settled = all(at < time.time_ns() - CLOCK_NS for at, _ in present)
            self._seen = present if settled else None
        return self._says


def _stamp(path: str) -> tuple[int, int]:
    """Return a file's time of change in ns and its size in bytes; zeros if it is missing."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
