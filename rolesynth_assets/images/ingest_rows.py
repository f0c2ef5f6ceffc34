"""Batches of bounded size with rows of the `images` and `image_rejects` tables."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from rolesynth_assets.images.decoding.decode import NormalisedImage
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.schemas import IMAGE_REJECTS, IMAGES

BATCH_BYTES = 64 * 2**20  # of encoded images in one batch, and again in flight before it
BATCH_ROWS = 2_000


@dataclass(frozen=True)
class IngestBatch:
    """Rows that are ready to be appended.

    Attributes:
        images: rows with the schema of the `images` table.
        rejects: rows with the schema of the `image_rejects` table.
    """

    images: pa.Table
    rejects: pa.Table


class RowBuilder:
    """Collects the rows of one shard into batches, numbers them and finds duplicates."""

    def __init__(self, shard: str, ordinal: int) -> None:
        self.shard = shard
        self.ordinal = ordinal
        self.position = 0
        self.first_source: dict[str, str] = {}  # by image id, for the whole shard
        self.images: list[dict[str, object]] = []
        self.rejects: list[dict[str, object]] = []
        self.bytes = 0

    def __len__(self) -> int:
        return len(self.images) + len(self.rejects)

    @property
    def full(self) -> bool:
        """Whether it is time to `take` a batch."""
        return len(self) >= BATCH_ROWS or self.bytes >= BATCH_BYTES

    def add(self, source: str, result: NormalisedImage | Reject) -> None:
        """Add the outcome of the next member."""
        if isinstance(result, NormalisedImage):
            if result.image_id in self.first_source:
                first = self.first_source[result.image_id]
                result = Reject(RejectReason.DUPLICATE, f"the same bytes as {first}")
            else:
                self.first_source[result.image_id] = source
        if isinstance(result, Reject):
            self._reject(source, result)
        else:
            self._accept(source, result)
        self.position += 1

    def _accept(self, source: str, image: NormalisedImage) -> None:
        self.images.append(
            {
                "image_id": image.image_id,
                "shard": self.shard,
                "source": source,
                "media_type": image.media_type,
                "width": image.width,
                "height": image.height,
                "bytes": len(image.data),
                "data": image.data,
                "ordinal": self.ordinal,
            }
        )
        self.ordinal += 1
        self.bytes += len(image.data)

    def _reject(self, source: str, reject: Reject) -> None:
        # the position distinguishes members of one name, which a tar may hold
        self.rejects.append(
            {
                "reject_id": digest("reject", self.shard, source, self.position),
                "shard": self.shard,
                "source": source,
                "reason": str(reject.reason),
                "detail": reject.detail,
            }
        )

    def take(self) -> IngestBatch:
        """Return the rows that were added since the last batch."""
        batch = IngestBatch(
            images=pa.Table.from_pylist(self.images, schema=IMAGES.schema),
            rejects=pa.Table.from_pylist(self.rejects, schema=IMAGE_REJECTS.schema),
        )
        self.images, self.rejects, self.bytes = [], [], 0
        return batch
