"""Withdrawal of images, which removes them and every row that was made from them.

First the tombstone is written, then the artefacts that hold the image are recorded, and then the
rows are removed. Each step can be repeated, so running the same command again completes an
interrupted withdrawal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.lineage.withdraw.artefacts import (
    Artefact,
    ArtefactKind,
    distinct,
    find_artefacts,
    record_artefacts,
)
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.rows import any_key
from rolesynth_assets.store.tombstones import (
    Tombstone,
    now,
    read_tombstones,
    write_tombstone,
)

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Withdrawal:
    """The withdrawn images, the removed rows, and the artefacts that hold the images.

    Attributes:
        tombstones: one tombstone for each image.
        removed: number of removed rows by table; for a dry run, of those that would be removed.
        artefacts: artefacts that hold the images.
    """

    tombstones: tuple[Tombstone, ...]
    removed: Mapping[str, int]
    artefacts: tuple[Artefact, ...]

    @property
    def shards(self) -> list[str]:
        """Image shards that held the images."""
        return sorted({shard for stone in self.tombstones for shard in stone.shards})

    def named(self, kind: ArtefactKind) -> list[str]:
        """Names of the artefacts of one kind, sorted."""
        return sorted({artefact.name for artefact in self.artefacts if artefact.kind is kind})


def withdraw(
    store: Store,
    warehouse: Warehouse,
    data_root: Path,
    image_ids: Sequence[str],
    reason: str,
    *,
    benchmarks: Mapping[str, Set[str]] | None = None,
    dry_run: bool = False,
) -> Withdrawal:
    """Write tombstones, record the artefacts that hold the images, and remove their rows.

    Args:
        store: the Lance tables.
        warehouse: the DuckDB tables.
        data_root: folder of checkpoints and reports.
        image_ids: sha256 of the images' source bytes; images that were never ingested are refused
            from now on. An image that was normalised is withdrawn in both forms.
        reason: reason, kept with the tombstone.
        benchmarks: image ids by benchmark (`benchmarks.contamination.benchmark_images`).
        dry_run: whether to find everything and change nothing.

    Raises:
        ValueError: no image or no reason is given.
    """
    ids = sorted({*image_ids, *_stored_forms(store, image_ids)})
    if not ids or not reason.strip():
        raise ValueError("a withdrawal needs at least one image and a reason")
    doomed = doomed_rows(store, ids)
    stones = tuple(_tombstone(store, warehouse, image, reason) for image in ids)
    found = find_artefacts(store, warehouse, data_root, ids, doomed, benchmarks or {})
    removed = {table: store.count(table, where=where) for table, where in doomed.items()}
    if not dry_run:
        for stone in stones:
            write_tombstone(warehouse, stone)
            record_artefacts(warehouse, stone.image_id, found)
        doomed |= doomed_rows(store, ids)  # a run that had not seen the tombstones may have written
        removed = {table: store.remove(table, where) for table, where in doomed.items()}
    return Withdrawal(
        tombstones=stones,
        removed=removed,
        artefacts=tuple(sorted(found)),
    )


def _stored_forms(store: StoreReader, image_ids: Sequence[str]) -> Iterator[str]:
    """Yield hashes of the stored bytes of images, if these differ from the source bytes.

    Seeds and exports made from such an image use that hash.
    """
    for image in image_ids:
        rows = store.read("images", None, ["data"], any_key("image_id", [image]))
        for data in rows["data"].to_pylist()[:1]:
            if image_id(data) != image:
                yield image_id(data)


def doomed_rows(store: StoreReader, image_ids: Sequence[str]) -> dict[str, str]:
    """Return SQL predicates of the rows that were made from some images.

    These are an image's captions, scores and pairs; seeds that show it, with everything made from
    them; and candidates for which it was drawn, with their verdicts and problems.

    Returns:
        Predicates by table, dependent tables first; tables without such rows are absent.
    """
    of_image = any_key("image_id", image_ids)
    shown = " OR ".join(f"image_ids LIKE '%{image}%'" for image in image_ids)
    seeds = distinct(store, "seeds", "seed_id", shown)
    of_seed = any_key("seed_id", seeds) if seeds else "false"
    candidates = distinct(store, "candidates", "candidate_id", f"({of_image}) OR ({of_seed})")
    of_candidate = any_key("candidate_id", candidates) if candidates else "false"
    asked = {
        "problems": f"({of_image}) OR ({of_seed})",
        "verdicts": of_candidate,
        "candidates": of_candidate,
        "contexts": of_seed,
        "seeds": of_seed,
        "pairs": of_image,
        "scores": of_image,
        "captions": of_image,
        "images": of_image,
    }
    return {
        table: where
        for table, where in asked.items()
        if where != "false" and store.count(table, where=where)
    }


def _tombstone(store: StoreReader, warehouse: Warehouse, image: str, reason: str) -> Tombstone:
    """Return a tombstone with all known places, including those of an earlier attempt."""
    earlier = read_tombstones(warehouse).get(image)
    rows = store.read("images", None, ["shard", "source"], any_key("image_id", [image])).to_pylist()
    shards = {row["shard"] for row in rows} | set(earlier.shards if earlier else ())
    sources = {row["source"] for row in rows} | set(earlier.sources if earlier else ())
    return Tombstone(
        image_id=image,
        reason=" ".join(reason.split()),
        withdrawn_at=earlier.withdrawn_at if earlier else now(),
        shards=tuple(sorted(shards)),
        sources=tuple(sorted(sources)),
    )
