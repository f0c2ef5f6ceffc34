"""The counts of a dataset card, gathered shard by shard."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from rolesynth_assets.pairs.cut import PairDropReason
from rolesynth_assets.store.shard_rows import ShardRows

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.reader import StoreReader

_PAIRS = ["image_id", "role", "length", "text", "kept", "reason"]
_CAPTIONS = ["image_id", "reason", "model", "revision"]


@dataclass
class CardCounts:
    """What the pairs and captions of a role set add up to; forgotten shards count for `dropped`.

    Attributes:
        groups: one row for each role and length kind: captions, kept, and of the kept ones the sum,
            the least and the most words.
        shards: shards with pairs that are not forgotten.
        kept_images: number of images with a kept caption.
        images: ids of all images with a caption or a failed request.
        dropped: captions that are not in the set, by reason.
        captioner: model and revision of the first caption.
        judge: model and revision of a score; None if there is none.
        digest: digest of the pairs, combined from those of the shards.
    """

    groups: pl.DataFrame
    shards: set[str]
    kept_images: int
    images: pl.Series
    captioner: tuple[str, str] | None = None
    judge: tuple[str, str] | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    digest: str = ""

    def by(self, column: str) -> pl.DataFrame:
        """Return the groups added up by role or by length, sorted."""
        return (
            self.groups.group_by(column)
            .agg(
                pl.col("captions", "kept", "words").sum(),
                pl.col("least").min(),
                pl.col("most").max(),
            )
            .sort(column)
        )


def count_card(store: StoreReader, role_set: str) -> CardCounts:
    """Add up the rows of a role set; one shard's are in memory at a time.

    Raises:
        ValueError: the role set has no pairs.
    """
    pairs = ShardRows(store, "pairs", role_set, _PAIRS)
    dropped: Counter[str] = Counter()
    groups, kept, shards = [], [], set()
    for shard, frame in zip(pairs.shards, pairs, strict=True):
        dropped.update(dict(frame["reason"].drop_nulls().value_counts().iter_rows()))
        counted = frame.filter(pl.col("reason").ne_missing(PairDropReason.FORGOTTEN.value))
        if not counted.is_empty():
            shards.add(shard)
            groups.append(_groups(counted))
            kept.append(counted.filter("kept")["image_id"].unique())
    if not groups:
        raise ValueError(f"role set {role_set!r} has no pairs: materialize filtered_pairs")
    gone = set(pairs.shards) - shards
    captions = ShardRows(store, "captions", role_set, _CAPTIONS)
    images, captioner = [], None
    for shard, frame in zip(captions.shards, captions, strict=True):
        if shard not in gone and not frame.is_empty():
            dropped.update(dict(frame["reason"].drop_nulls().value_counts().iter_rows()))
            images.append(frame["image_id"].unique())
            captioner = captioner or (frame["model"][0], frame["revision"][0])
    return CardCounts(
        groups=pl.concat(groups),
        shards=shards,
        kept_images=pl.concat(kept).n_unique(),
        images=pl.concat(images).unique() if images else pl.Series("image_id", [], pl.String),
        captioner=captioner,
        judge=_judge(store, role_set),
        dropped=dict(sorted(dropped.items())),
        digest=pairs.digest(),
    )


def _groups(pairs: pl.DataFrame) -> pl.DataFrame:
    words = pl.col("text").str.split(" ").list.len().cast(pl.Int64)
    of_kept = words.filter(pl.col("kept"))
    return pairs.group_by("role", "length").agg(
        pl.len().cast(pl.Int64).alias("captions"),
        pl.col("kept").sum().cast(pl.Int64),
        of_kept.sum().alias("words"),
        of_kept.min().alias("least"),
        of_kept.max().alias("most"),
    )


def _judge(store: StoreReader, role_set: str) -> tuple[str, str] | None:
    """Return the judge of the first score, without reading the others."""
    columns = ["judge", "judge_revision"]
    for batch in store.batches("scores", {"role_set": role_set}, columns):
        if batch.num_rows:
            return batch["judge"][0].as_py(), batch["judge_revision"][0].as_py()
    return None
