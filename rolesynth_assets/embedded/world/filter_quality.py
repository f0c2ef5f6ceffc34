"""The filter's quality on scenes whose truth is known: precision and recall of the kept set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
import polars as pl

from rolesynth_assets.embedded.world.claims import Claims, claims
from rolesynth_assets.embedded.world.scenes import Scene


@dataclass(frozen=True)
class FilterQuality:
    """Precision and recall of the kept set, beside a random cut of equal size per length kind.

    A caption is true if it names an object of the scene and claims nothing wrong.

    Attributes:
        captions: number of captions whose scene is known.
        true_share: share of them that are true.
        object_precision: share of the named object kinds that are in the scene.
        precision: share of the kept captions that are true.
        recall: share of the true captions that are kept.
        random_precision: precision of a random cut, mean over draws.
        random_recall: recall of a random cut, mean over draws.
        random_low: 2.5 % quantile of the random cut's precision.
        random_high: 97.5 % quantile of the random cut's precision.
    """

    captions: int
    true_share: float
    object_precision: float
    precision: float
    recall: float
    random_precision: float
    random_recall: float
    random_low: float
    random_high: float


def filter_quality(
    pairs: pl.DataFrame, scenes: Mapping[str, Scene], *, draws: int = 200, seed: int = 0
) -> FilterQuality | None:
    """Compare the pairs of a role set with the scenes that they describe.

    Args:
        pairs: rows of the pairs table: image_id, length, text, kept.
        scenes: the true scenes by image id.
        draws: number of random cuts to compare with.
        seed: seed of those cuts.

    Returns:
        The measures, or None if no caption's scene is known or nothing was kept.
    """
    known = pairs.filter(pl.col("image_id").is_in(list(scenes)))
    if known.is_empty() or not known["kept"].any():
        return None
    said: list[Claims] = [
        claims(text, scenes[image])
        for text, image in zip(known["text"], known["image_id"], strict=True)
    ]
    true = np.array([c.true for c in said])
    kept = known["kept"].to_numpy()
    rng = np.random.default_rng(seed)
    hits = np.zeros(draws)
    for length in known["length"].unique().sort():
        of_length = (known["length"] == length).to_numpy()
        # a random cut of k out of n captions keeps a hypergeometric number of true ones
        good, bad = int((of_length & true).sum()), int((of_length & ~true).sum())
        hits += rng.hypergeometric(good, bad, int((of_length & kept).sum()), size=draws)
    named = sum(c.named for c in said)
    precision = hits / kept.sum()
    return FilterQuality(
        captions=len(said),
        true_share=float(true.mean()),
        object_precision=named / max(1, named + sum(c.wrong_kinds for c in said)),
        precision=float((true & kept).sum() / kept.sum()),
        recall=float((true & kept).sum() / max(1, true.sum())),
        random_precision=float(precision.mean()),
        random_recall=float(hits.mean() / max(1, true.sum())),
        random_low=float(np.quantile(precision, 0.025)),
        random_high=float(np.quantile(precision, 0.975)),
    )


def quality_of_shards(
    shards: Iterable[pl.DataFrame], scenes: Mapping[str, Scene]
) -> FilterQuality | None:
    """Return the `filter_quality` of pairs that come shard by shard; other pairs are not kept."""
    if not scenes:
        return None
    images = list(scenes)
    known = [pairs.filter(pl.col("image_id").is_in(images)) for pairs in shards]
    return filter_quality(pl.concat(known), scenes) if known else None


def quality_rows(found: FilterQuality | None, role_set: str) -> pl.DataFrame:
    """Return the row of the small table ``filter_quality``; no row if nothing was measured."""
    kinds = {f.name: pl.Int64 if f.type == "int" else pl.Float64 for f in fields(FilterQuality)}
    rows = [{"role_set": role_set, **asdict(found)}] if found else []
    return pl.DataFrame(rows, schema={"role_set": pl.String, **kinds})


def quality_from_rows(rows: pl.DataFrame) -> FilterQuality | None:
    """Read the row of one role set in the table ``filter_quality``; None if there is none."""
    return None if rows.is_empty() else FilterQuality(**rows.drop("role_set").row(0, named=True))
