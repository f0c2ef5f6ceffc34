"""Counts and measures of captions, filter and scores, read from the stored tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.small.tables import SmallTables


@dataclass(frozen=True)
class RoleSetSummary:
    """One role set's rows per stage, and its measures of filter quality and diversity."""

    role_set: str
    captions: int
    failed: int
    scored: int
    kept: int
    kept_share: float
    images: int
    images_covered: int
    vendi: float | None
    similarity: float | None
    self_bleu: float | None
    precision: float | None
    recall: float | None
    random_precision: float | None
    object_precision: float | None


def summarise_role_set(
    store: StoreReader, small: SmallTables, role_set: str, shards: Sequence[str]
) -> RoleSetSummary:
    """Count a role set's rows, and read its measures of filter quality and diversity.

    Args:
        store: the tables of rows.
        small: the tables of measures.
        role_set: name of the role set.
        shards: shards to count; the filter was measured over all shards.
    """
    import polars as pl

    from rolesynth_assets.embedded.world.filter_quality import quality_from_rows
    from rolesynth_assets.pairs.diversity_rows import diversity_of_shards

    where = {"role_set": role_set}
    of_shards = pl.col("shard").is_in(shards)
    columns = ["shard", "image_id", "score", "kept"]
    pairs = pl.DataFrame(store.read("pairs", where, columns)).filter(of_shards)
    stored = pl.DataFrame(store.read("captions", where, ["shard", "reason"])).filter(of_shards)
    failed = stored["reason"].drop_nulls().len()
    quality = quality_from_rows(small.read("filter_quality", where))
    diversity = diversity_of_shards(small.read("diversity", where), shards)
    kept = int(pairs["kept"].sum())
    return RoleSetSummary(
        role_set=role_set,
        captions=stored.height - failed,
        failed=failed,
        scored=pairs["score"].drop_nulls().len(),
        kept=kept,
        kept_share=kept / max(1, pairs.height),
        images=pairs["image_id"].n_unique(),
        images_covered=pairs.filter("kept")["image_id"].n_unique(),
        vendi=diversity.vendi_score if diversity else None,
        similarity=diversity.mean_pairwise_similarity if diversity else None,
        self_bleu=diversity.self_bleu if diversity else None,
        precision=quality.precision if quality else None,
        recall=quality.recall if quality else None,
        random_precision=quality.random_precision if quality else None,
        object_precision=quality.object_precision if quality else None,
    )


def summarise_scores(small: SmallTables, recipes: Sequence[str]) -> pl.DataFrame:
    """Return R@1, R@5 and top-1 by recipe and benchmark, with intervals, means over seeds."""
    import polars as pl

    scores = small.read("benchmark_scores")
    wanted = [
        "image_to_text_r1",
        "image_to_text_r5",
        "text_to_image_r1",
        "text_to_image_r5",
        "top1",
    ]
    return (
        scores.filter(pl.col("recipe").is_in(recipes) & pl.col("metric").is_in(wanted))
        .group_by("benchmark", "metric", "recipe")
        .agg(
            pl.col("value", "low", "high").mean(), pl.col("chance").first(), pl.len().alias("seeds")
        )
        .sort("benchmark", "metric", "recipe")
    )
