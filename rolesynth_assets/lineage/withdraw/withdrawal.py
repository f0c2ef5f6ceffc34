"""Withdrawal of images, which removes them and every row that was made from them.

First the tombstone is written, then the artefacts that hold the image are recorded, and then the
rows are removed. Each step can be repeated, so running the same command again completes an
interrupted withdrawal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rolesynth_assets.clip.data.input_cache import forget_inputs
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.lineage.withdraw.artefacts import (
    Artefact,
    ArtefactKind,
    distinct,
    find_artefacts,
    record_artefacts,
)
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.forgotten_captions import forget_images
from rolesynth_assets.store.lance.rows import any_key, refers_to
from rolesynth_assets.store.lance.schemas import TABLES
from rolesynth_assets.store.tombstones import (
    Tombstone,
    now,
    read_tombstones,
    write_tombstone,
)

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.tables import SmallTables


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
    small: SmallTables,
    data_root: DataPath,
    image_ids: Sequence[str],
    reason: str,
    *,
    benchmarks: Mapping[str, Set[str]] | None = None,
    dry_run: bool = False,
) -> Withdrawal:
    """Write tombstones, record the artefacts that hold the images, and remove their rows.

    Args:
        store: the Lance tables.
        small: the small tables.
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
    stones = tuple(_tombstone(store, small, image, reason) for image in ids)
    found = find_artefacts(store, small, data_root, ids, doomed, benchmarks or {})
    removed = {table: store.count(table, where=where) for table, where in doomed.items()}
    if not dry_run:
        for stone in stones:
            write_tombstone(small, stone)
            record_artefacts(small, stone.image_id, found)
        doomed |= doomed_rows(store, ids)  # a run that had not seen the tombstones may have written
        removed = {table: store.remove(table, where) for table, where in doomed.items()}
        for image in ids:
            DataPaths(data_root).thumbnail(image).unlink(missing_ok=True)
        forget_inputs(data_root, ids)
        forget_images(data_root, ids)  # last: it waits for an index that is being built
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

    The foreign keys of the tables lead there: an image's captions, scores and pairs; a seed that
    shows it with all that grew out of the seed; a candidate that it was drawn for, with its
    verdicts and its problem.

    Returns:
        Predicates by table, dependent tables first; tables without such rows are absent.
    """
    gone = {"images": list(image_ids)}
    doomed: dict[str, str] = {}
    referred_to = {parent for spec in TABLES.values() for parent in spec.of.values()}
    for name, spec in TABLES.items():  # each after those that it refers to
        clauses = [
            refers_to(spec, column, gone[parent])
            for column, parent in spec.of.items()
            if gone.get(parent)
        ]
        if name == "images":
            clauses = [any_key(spec.key, image_ids)]
        where = " OR ".join(f"({clause})" for clause in clauses)
        if not where or not store.count(name, where=where):
            continue
        doomed[name] = where
        if name in referred_to and name != "images":
            gone[name] = distinct(store, name, spec.key, where)
    return dict(reversed(doomed.items()))


def _tombstone(store: StoreReader, small: SmallTables, image: str, reason: str) -> Tombstone:
    """Return a tombstone with all known places, including those of an earlier attempt."""
    earlier = read_tombstones(small).get(image)
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
