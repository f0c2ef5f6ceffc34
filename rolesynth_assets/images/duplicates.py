"""Pictures whose bytes are in several shards, found by their ids over the whole table."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.images.decoding.rejects import MAX_DETAIL, Reject, RejectReason
from rolesynth_assets.images.descriptor import is_url
from rolesynth_assets.images.ingest_rows import IngestBatch
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.reader import KEYS_PER_LOOKUP
from rolesynth_assets.store.lance.rows import all_of, any_key, sql_quoted
from rolesynth_assets.store.lance.schemas import IMAGE_REJECTS

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store


_OF_SHARD = " of shard "


@dataclass(frozen=True)
class Place:
    """A shard that has a picture, and the picture's source in it."""

    shard: str
    source: str


def elsewhere(store: StoreReader, shard: str, images: Sequence[str]) -> dict[str, Place]:
    """Return the other shard of each image that has one; with several, the first by key.

    It asks for a few hundred ids at a time, which an index answers (see `Store.index_keys`).
    """
    found: dict[str, Place] = {}
    for start in range(0, len(images), KEYS_PER_LOOKUP):
        asked = any_key("image_id", images[start : start + KEYS_PER_LOOKUP])
        where = all_of(asked, f"shard <> {sql_quoted(shard)}")
        rows = store.read("images", None, ["image_id", "shard", "source"], where)
        for row in sorted(rows.to_pylist(), key=lambda row: row["shard"]):
            found.setdefault(row["image_id"], Place(row["shard"], row["source"]))
    return found


def shards_without_copies(store: StoreReader, shards: Collection[str]) -> list[str]:
    """Return the shards that reject files because some given shards have the same bytes, sorted.

    Once these shards are forgotten, the rejected files are the only ones with their pictures. A
    detail that was cut may name any shard, so it counts.

    Args:
        store: holds the rejects.
        shards: the shards that are forgotten; they are not returned.
    """
    duplicate = f"reason = {sql_quoted(str(RejectReason.DUPLICATE))}"
    named = tuple(f"{_OF_SHARD}{shard}" for shard in shards)
    found = set[str]()
    for batch in store.batches("image_rejects", None, ["shard", "detail"], duplicate):
        for row in batch.to_pylist():
            if row["detail"].endswith(named) or len(row["detail"]) >= MAX_DETAIL:
                found.add(row["shard"])
    return sorted(found - set(shards))


def first_wins(
    store: Store, shard: str, batch: IngestBatch, own: Collection[str], base: str
) -> IngestBatch:
    """Turn the images of a batch that another shard has into rejects.

    An image whose file at the other place is gone, since it was renamed or moved, is taken from
    there with all that was made from it.

    Args:
        store: holds the tables.
        shard: the shard of the batch.
        batch: what was read.
        own: images that the shard had before. Of two shards that both have an image, the first by
            key keeps it.
        base: absolute folder to which sources are relative.
    """
    places = elsewhere(store, shard, batch.images["image_id"].to_pylist())
    lost = {
        image: place
        for image, place in places.items()
        if (image not in own or place.shard < shard) and not _is_gone(place.source, base)
    }
    _take(store, shard, batch, {i: p for i, p in places.items() if i not in lost and i not in own})
    return _without(batch, shard, lost)


def newest_wins(
    store: Store,
    shard: str,
    batch: IngestBatch,
    own: Collection[str],
    lost_before: Collection[str],
) -> IngestBatch:
    """Take the images of a batch from other shards, with all that was made from them.

    Args:
        store: holds the tables.
        shard: the shard of the batch.
        batch: what was read.
        own: images that the shard had before. Of two shards that both have an image, the last by
            key keeps it.
        lost_before: sources of the shard that another one took before; they stay rejects, else two
            shards would take a picture from each other in turn.
    """
    places = elsewhere(store, shard, batch.images["image_id"].to_pylist())
    if not places:
        return batch
    sources = _sources(batch)
    lost = {
        image: place
        for image, place in places.items()
        if (place.shard > shard if image in own else sources[image] in lost_before)
    }
    _take(store, shard, batch, {i: p for i, p in places.items() if i not in lost and i not in own})
    return _without(batch, shard, lost)


def _take(store: Store, shard: str, batch: IngestBatch, places: Mapping[str, Place]) -> None:
    """Move images from the shards that have them to `shard`, and leave a reject there for each."""
    sources = _sources(batch)
    for loser in sorted({place.shard for place in places.values()}):
        taken = sorted(image for image, place in places.items() if place.shard == loser)
        rejects = [
            _reject(loser, places[image].source, Place(shard, sources[image])) for image in taken
        ]
        added = pa.Table.from_pylist(rejects, schema=IMAGE_REJECTS.schema)
        store.append("image_rejects", {"shard": loser}, added)
        store.move_images(taken, loser, shard)


def _sources(batch: IngestBatch) -> dict[str, str]:
    images = batch.images
    return dict(zip(images["image_id"].to_pylist(), images["source"].to_pylist(), strict=True))


def _is_gone(source: str, base: str) -> bool:
    """Whether the local file of a source does not exist; a name that is no text counts as there."""
    path = source.partition("::")[0]
    if is_url(source) or "%bytes:" in source:
        return False
    return not os.path.exists(os.path.join(base, path))


def _without(batch: IngestBatch, shard: str, lost: Mapping[str, Place]) -> IngestBatch:
    if not lost:
        return batch
    rows = batch.images.select(["image_id", "source"]).to_pylist()
    stays = pa.array([row["image_id"] not in lost for row in rows])
    rejects = [
        _reject(shard, row["source"], lost[row["image_id"]])
        for row in rows
        if row["image_id"] in lost
    ]
    added = pa.Table.from_pylist(rejects, schema=IMAGE_REJECTS.schema)
    return IngestBatch(batch.images.filter(stays), pa.concat_tables([batch.rejects, added]))


def _reject(shard: str, source: str, place: Place) -> dict[str, str]:
    detail = f"the same bytes as {place.source}{_OF_SHARD}{place.shard}"
    reject = Reject(RejectReason.DUPLICATE, detail)
    return {
        "reject_id": digest("duplicate", shard, source),
        "shard": shard,
        "source": source,
        "reason": str(reject.reason),
        "detail": reject.detail,
    }
