"""Tombstones: images that were withdrawn and must not come back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rolesynth_assets.store.snapshot import TableReader
    from rolesynth_assets.store.warehouse import Warehouse


@dataclass(frozen=True)
class Tombstone:
    """One withdrawn image.

    Attributes:
        image_id: sha256 of its source bytes.
        reason: why it had to go, in a person's words.
        withdrawn_at: when, ISO 8601 in UTC.
        shards: image shards that held it.
        sources: files or tar members that it was read from; they are not ours to delete.
    """

    image_id: str
    reason: str
    withdrawn_at: str
    shards: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """One line for whoever offers the image again."""
        return f"withdrawn on {self.withdrawn_at[:10]}: {self.reason}"


def now() -> str:
    """The time for a tombstone, ISO 8601 in UTC, to the second."""
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


def write_tombstone(warehouse: Warehouse, tombstone: Tombstone) -> None:
    """Store a tombstone; one that stands for the same image is replaced."""
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
        Those that stood and stand no more.
    """
    standing = read_tombstones(warehouse)
    lifted = [standing[image] for image in sorted(set(image_ids)) if image in standing]
    for tombstone in lifted:
        where = {"image_id": tombstone.image_id}
        for table in ("tombstones", "tombstone_artefacts"):
            warehouse.replace(table, where, warehouse.read(table, where).clear())
    return lifted
