"""The ledger of dropped pairs, with counts by reason and examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class PairLedger:
    """Counts of a partition's kept and dropped captions.

    Attributes:
        captions: captions with text.
        kept: pairs that are kept for training.
        images: images with at least one kept pair.
        dropped: count by drop reason.
        examples: some dropped rows: ``reason``, ``role``, ``length``, ``score``, ``text``,
            ``rationale``, ``caption_id``.
    """

    captions: int
    kept: int
    images: int
    dropped: Mapping[str, int]
    examples: pl.DataFrame


def pair_ledger(pairs: pl.DataFrame, scores: pl.DataFrame, *, examples: int = 20) -> PairLedger:
    """Count dropped pairs by reason, and pick examples.

    The examples are spread over reasons, roles and length kinds, and are the same on every run: the
    first of each group in the order of the caption ids, which are hashes.

    Args:
        pairs: rows of the ``pairs`` table.
        scores: rows of the ``scores`` table that hold the judge's ``rationale`` by ``caption_id``.
        examples: number of dropped rows to pick.

    Raises:
        ValueError: a dropped row has no reason, or a kept one has.
    """
    odd = pairs.filter(pl.col("kept") == pl.col("reason").is_not_null())
    if odd.height:
        row = odd.row(0, named=True)
        raise ValueError(
            f"pair {row['caption_id']} has kept={row['kept']} and reason={row['reason']!r}: every "
            "dropped pair has a reason and no kept one has; materialize filtered_pairs again"
        )
    dropped = pairs.filter(~pl.col("kept"))
    counts = dropped.group_by("reason").len().sort("reason")
    group = ["reason", "role", "length"]
    rationales = scores.select("caption_id", "rationale").unique("caption_id")
    picked = (
        dropped.sort("caption_id")
        .with_columns(pl.int_range(pl.len()).over(group).alias("turn"))
        .sort("turn", *group)
        .head(examples)
        .join(rationales, on="caption_id", how="left", maintain_order="left")
        .select(*group, "score", "text", "rationale", "caption_id")
    )
    kept = pairs.filter("kept")
    return PairLedger(
        captions=pairs.height,
        kept=kept.height,
        images=kept["image_id"].n_unique(),
        dropped=dict(counts.iter_rows()),
        examples=picked,
    )
