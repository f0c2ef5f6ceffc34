"""Paired differences of two recipes, over the images of a benchmark and over training seeds.

Two recipes are measured on the same images, and seed by seed. The interval covers both sources of
chance: other images, and other seeds. With d[s, i] the difference on image i of the checkpoints of
seed s, its half width is the root of the sum of two squares: that of Student's t over the means of
the seeds, and that of the normal interval over the means of the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rolesynth_assets.benchmarks.intervals.bootstrap import LEVEL, Interval
from rolesynth_assets.benchmarks.score import Measurement, Metric

if TYPE_CHECKING:
    import polars as pl

HitsBySeed = Mapping[int, np.ndarray]
"""Hits per image, float in [0, 1] of shape (images,), by training seed."""


@dataclass(frozen=True)
class PairedDifference:
    """The difference of two recipes on one benchmark.

    Attributes:
        interval: ours minus theirs, a share of 1.
        seeds: number of pairs of checkpoints.
        images: number of images.
    """

    interval: Interval
    seeds: int
    images: int


def hits_from_rankings(
    rows: pl.DataFrame,
) -> dict[tuple[str, str], dict[int, np.ndarray]]:
    """Return hits per image by (recipe, benchmark) and seed, as `hits_per_image` gives them.

    Args:
        rows: rows of the table ``rankings``: ``recipe``, ``benchmark``, ``seed``, ``direction``,
            ``image``, ``rank``. Of a benchmark with very many queries it has a sample, the same one
            for every checkpoint; then the images are those of the sample.
    """
    import polars as pl

    # an expected rank between 1 and 2 is a tie for the first place
    hit = (2.0 - pl.col("rank")).clip(0.0, 1.0)
    checkpoint = ["recipe", "benchmark", "seed"]
    by_direction = rows.group_by(*checkpoint, "image", "direction").agg(hit.mean().alias("hit"))
    by_image = by_direction.group_by(*checkpoint, "image").agg(pl.col("hit").mean())
    found: dict[tuple[str, str], dict[int, np.ndarray]] = {}
    ordered = by_image.sort(*checkpoint, "image").group_by(*checkpoint, maintain_order=True)
    for (recipe, benchmark, seed), of_checkpoint in ordered:
        hits = of_checkpoint["hit"].to_numpy()
        found.setdefault((str(recipe), str(benchmark)), {})[int(str(seed))] = hits
    return found


def hits_per_image(measured: Sequence[Measurement]) -> np.ndarray:
    """Return one number in [0, 1] for each image of a benchmark, whose mean is its main score.

    For retrieval it is the mean of R@1 in both directions: the image's own hit, and the share of
    its captions that find it. For classification it is the top-1 hit.

    Raises:
        ValueError: neither R@1 nor top-1 was measured.
    """
    by_metric = {found.metric: found for found in measured}
    if Metric.TOP1 in by_metric:
        return by_metric[Metric.TOP1].hits.astype(np.float64)
    both = [by_metric.get(m) for m in (Metric.IMAGE_TO_TEXT_R1, Metric.TEXT_TO_IMAGE_R1)]
    shares = [_mean_per_image(found) for found in both if found is not None]
    if not shares:
        raise ValueError("neither R@1 nor top-1 was measured")
    return np.mean(shares, axis=0)


def paired_difference(
    ours: HitsBySeed, theirs: HitsBySeed, level: float = LEVEL
) -> PairedDifference:
    """Return the paired difference of two recipes on one benchmark.

    A recipe with a single seed, such as the base, which nothing was trained for, is held against
    each seed of the other.

    Raises:
        ValueError: the recipes have no seed in common, or were measured on different images.
    """
    pairs = _pairs(ours, theirs)
    if not pairs:
        raise ValueError(
            f"no seed in common: {sorted(ours)} and {sorted(theirs)}; train both with one seed"
        )
    shapes = {len(hits) for pair in pairs for hits in pair}
    if len(shapes) != 1:
        raise ValueError(f"hits on {sorted(shapes)} images cannot be paired; score both again")
    return _over_both(np.stack([np.subtract(a, b, dtype=np.float64) for a, b in pairs]), level)


def mean_score(hits: HitsBySeed, level: float = LEVEL) -> PairedDifference:
    """Return a recipe's mean score with an interval over seeds and images."""
    return _over_both(np.stack([hits[seed] for seed in sorted(hits)]).astype(np.float64), level)


def _pairs(ours: HitsBySeed, theirs: HitsBySeed) -> list[tuple[np.ndarray, np.ndarray]]:
    if len(theirs) == 1:
        return [(ours[s], next(iter(theirs.values()))) for s in sorted(ours)]
    if len(ours) == 1:
        return [(next(iter(ours.values())), theirs[s]) for s in sorted(theirs)]
    return [(ours[s], theirs[s]) for s in sorted(set(ours) & set(theirs))]


def _over_both(values: np.ndarray, level: float) -> PairedDifference:
    """Return mean and interval of (seeds, images) values."""
    from scipy.stats import norm, t

    seeds, images = values.shape
    tail = (1 + level) / 2
    by_image, by_seed = values.mean(axis=0), values.mean(axis=1)
    of_images = of_seeds = 0.0
    if images > 1:
        of_images = float(norm.ppf(tail)) * float(by_image.std(ddof=1)) / images**0.5
    if seeds > 1:
        of_seeds = float(t.ppf(tail, seeds - 1)) * float(by_seed.std(ddof=1)) / seeds**0.5
    mean, half = float(values.mean()), float(np.hypot(of_images, of_seeds))
    return PairedDifference(Interval(mean, mean - half, mean + half), seeds, images)


def _mean_per_image(found: Measurement) -> np.ndarray:
    sums = np.bincount(found.clusters, weights=found.hits)
    return sums / np.bincount(found.clusters)
