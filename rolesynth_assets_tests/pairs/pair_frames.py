"""Frames of captions and scores, made from short lists."""

from collections.abc import Sequence

import polars as pl

from rolesynth_assets.recipe_files.filter_policy import FilterPolicy
from rolesynth_assets.store.digests import digest

SCORE_TYPES = {
    "shard": pl.String,
    "caption_id": pl.String,
    "image_id": pl.String,
    "role": pl.String,
    "length": pl.String,
    "score": pl.Int32,
}


def score_frame(rows: Sequence[tuple[str, str, str, str, int | None]]) -> pl.DataFrame:
    """Rows of (shard, image, role, length, score); ids are hashes of all that."""
    return pl.DataFrame(
        [
            (shard, digest(shard, image, role, length, place), image, role, length, score)
            for place, (shard, image, role, length, score) in enumerate(rows)
        ],
        schema=SCORE_TYPES,
        orient="row",
    )


def captions_of(scores: pl.DataFrame) -> pl.DataFrame:
    """The captions that were scored, each with a text of its own."""
    return scores.select(
        "shard",
        pl.lit("roles").alias("role_set"),
        "caption_id",
        "image_id",
        "role",
        "length",
        pl.format("text of {}", "caption_id").alias("text"),
    )


def policy(**fields) -> FilterPolicy:
    return FilterPolicy(**fields)
