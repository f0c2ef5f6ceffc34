"""Search for pictures in Dagster's event log that may show a withdrawn image.

Dagster cannot change an event, and wiping an asset hides its events without deleting them. Only
`dagster run delete` deletes them, together with everything else that the run recorded. The runs are
therefore named, and the deletion is left to a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from rolesynth_assets.lineage.withdraw.artefacts import ArtefactKind
from rolesynth_assets.pictures.markdown import holds_image

if TYPE_CHECKING:
    from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal

PAGE = 100  # events read at a time: one with pictures has some hundred kB


@dataclass(frozen=True, order=True)
class EventPictures:
    """Materializations of one run and partition that show pictures.

    Attributes:
        asset: the asset.
        partition: its partition.
        run_id: the run that recorded them.
    """

    asset: str
    partition: str
    run_id: str


def pictures_in_events(
    instance: dg.DagsterInstance, withdrawal: Withdrawal
) -> tuple[EventPictures, ...]:
    """Find events before the withdrawal with pictures of partitions that held withdrawn images.

    A picture shows some images of a partition. Which ones is not recorded, so all events are
    returned.
    """
    if not withdrawal.tombstones:
        return ()
    # the time of a tombstone has a resolution of one second
    until = max(_timestamp(stone.withdrawn_at) for stone in withdrawal.tombstones) + 1
    return tuple(
        sorted(
            {
                EventPictures(asset, partition, record.run_id)
                for asset, partition in _partitions(instance, withdrawal)
                for record in _materializations(instance, asset, partition, until)
                if _shows_picture(record)
            }
        )
    )


def _timestamp(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _partitions(instance: dg.DagsterInstance, withdrawal: Withdrawal) -> Iterator[tuple[str, str]]:
    for shard in withdrawal.shards:
        yield "image_shards", shard
    domains = {*withdrawal.named(ArtefactKind.DOMAIN)}
    for asset, first in (("raw_captions", {*withdrawal.shards}), ("cads_rounds", domains)):
        for partition in instance.get_materialized_partitions(dg.AssetKey(asset)):
            if partition.split("|")[0] in first:
                yield asset, partition
    for name in withdrawal.named(ArtefactKind.ROUND):
        yield "cads_rounds", name


def _materializations(
    instance: dg.DagsterInstance, asset: str, partition: str, until: float
) -> Iterator[dg.EventLogRecord]:
    cursor, more = None, True
    asked = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(asset), asset_partitions=[partition], before_timestamp=until
    )
    while more:
        found = instance.fetch_materializations(asked, limit=PAGE, cursor=cursor)
        yield from found.records
        cursor, more = found.cursor, found.has_more


def _shows_picture(record: dg.EventLogRecord) -> bool:
    made = record.asset_materialization
    values = made.metadata.values() if made else ()
    return any(
        isinstance(value, dg.MarkdownMetadataValue) and holds_image(value.md_str)
        for value in values
    )
