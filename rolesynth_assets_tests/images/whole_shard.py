"""A shard ingested as a whole, for tests that look at all of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.ingest import IngestReport, Progress, ingest_batches
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets.store.lance.schemas import IMAGE_REJECTS, IMAGES


@dataclass(frozen=True)
class IngestedShard:
    """A whole shard in memory: its rows and what was counted."""

    images: pa.Table
    rejects: pa.Table
    report: IngestReport


def ingest_shard(
    descriptor: ShardDescriptor,
    limits: DecodeLimits | None = None,
    ordinal_start: int = 0,
    progress: Progress | None = None,
) -> IngestedShard:
    """All rows of a small shard, in member order, and the report."""
    report = IngestReport(descriptor.key)
    batches = []
    for batch in ingest_batches(descriptor, limits, ordinal_start, progress):
        report.add(batch)
        batches.append(batch)
    return IngestedShard(
        images=pa.concat_tables([IMAGES.schema.empty_table(), *(b.images for b in batches)]),
        rejects=pa.concat_tables(
            [IMAGE_REJECTS.schema.empty_table(), *(b.rejects for b in batches)]
        ),
        report=report,
    )
