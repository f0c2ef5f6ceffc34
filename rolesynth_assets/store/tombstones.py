"""Tombstones of images that were withdrawn and must not be ingested again."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rolesynth_assets.files.object_path import DataPath
    from rolesynth_assets.store.small.snapshot import TableReader
    from rolesynth_assets.store.small.tables import SmallTables

CLOCK_NS = 100_000_000
"""Nanoseconds within which two changes of a folder may have the same time stamp."""
ASK_AGAIN_S = 2
"""Seconds after which a bucket is asked again for tombstones."""


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


def read_tombstones(small: TableReader) -> dict[str, Tombstone]:
    """Return all tombstones by image id."""
    rows = small.read("tombstones").sort("image_id")
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


def withdrawn_images(root: DataPath | str) -> list[str]:
    """Return the ids of all images below a data root that are withdrawn now.

    A withdrawal writes the tombstone first and then removes rows and files. A writer that asks for
    them after its write therefore sees the tombstone, or the withdrawal finds what was written.
    """
    from rolesynth_assets.store.small.tables import SmallTables

    return [*read_tombstones(SmallTables(root))]


def write_tombstone(small: SmallTables, tombstone: Tombstone) -> None:
    """Store a tombstone, replacing an earlier one of the same image."""
    import polars as pl

    row = {
        "image_id": tombstone.image_id,
        "reason": tombstone.reason,
        "withdrawn_at": tombstone.withdrawn_at,
        "shards": " ".join(tombstone.shards),
        "sources": "\n".join(tombstone.sources),
    }
    small.replace("tombstones", {"image_id": tombstone.image_id}, pl.DataFrame([row]))


def lift_tombstones(small: SmallTables, image_ids: Collection[str]) -> list[Tombstone]:
    """Remove tombstones, so that the images may be ingested again.

    Returns:
        The removed tombstones.
    """
    standing = read_tombstones(small)
    lifted = [standing[image] for image in sorted(set(image_ids)) if image in standing]
    for tombstone in lifted:
        where = {"image_id": tombstone.image_id}
        for table in ("tombstones", "tombstone_artefacts"):
            small.replace(table, where, small.read(table, where).clear())
    return lifted


class Withdrawn(Mapping[str, str]):
    """The current line of each tombstone (`Tombstone.says`) by image id.

    It is for long work, during which a person may withdraw an image. An access reads the time of
    the table's last write, which takes some microseconds, and the tombstones if it has changed. In
    a bucket, which would have to be asked, they are read again after `ASK_AGAIN_S`.
    """

    def __init__(self, small: SmallTables) -> None:
        """Prepare without reading anything."""
        self._small = small
        self._seen: int | None = None
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
        present = self._small.written_ns("tombstones")
        if present is None:
            present = time.monotonic_ns() // (ASK_AGAIN_S * 10**9)
            settled = True
        else:  # a folder that has just changed may change again with the same time stamp
            settled = present < time.time_ns() - CLOCK_NS
        if present != self._seen:
            read = read_tombstones(self._small)
            self._says = {image: stone.says for image, stone in read.items()}
            self._seen = present if settled else None
        return self._says
