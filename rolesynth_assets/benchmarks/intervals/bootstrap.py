"""The percentile bootstrap over images, computed from hits per query.

Captions of one image are not independent, so images are drawn with replacement. For image-to-text
and top-k an image is one query, for text-to-image it is the cluster of its captions. The interval
describes the variation over the images of a benchmark, not over the seeds of a training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RESAMPLES = 1_000
LEVEL = 0.95
_CELLS = 4_000_000  # drawn indices held at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """A value and the bounds of its interval."""

    value: float
    low: float
    high: float


def bootstrap_mean(
    hits: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return the mean hit rate with its interval.

    Args:
        hits: (queries,) in [0, 1].
        clusters: (queries,) index of each query's image; None if each query is an image. The
            resampled value is the sum of hits over the number of queries of the drawn images.
        seed: seed of the draw; the same seed and sizes draw the same images for every model.
        resamples: number of resamples.
        level: share of resamples inside the interval.

    Raises:
        ValueError: there is no query, or the shapes differ.
    """
    hits = _queries(hits)
    if clusters is None:
        totals, sizes = hits, np.ones(len(hits))
    else:
        members = _members(clusters, hits)
        totals = np.bincount(members, weights=hits)
        sizes = np.bincount(members).astype(np.float64)
    draws = np.empty(resamples)
    for part, picked in _draw(len(totals), resamples, seed):
        draws[part] = totals[picked].sum(axis=1) / sizes[picked].sum(axis=1)
    return _percentiles(float(hits.mean()), draws, level)


def bootstrap_mean_per_class(
    hits: np.ndarray,
    labels: np.ndarray,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """Return the mean over classes of their hit rates, with an interval over images.

    A class that a resample misses is left out of that resample's mean.

    Args:
        hits: (images,) in [0, 1].
        labels: (images,) class indices; classes without any image do not count.
        seed: seed of the draw.
        resamples: number of resamples.
        level: share of resamples inside the interval.

    Raises:
        ValueError: there is no image, or the shapes differ.
    """
    hits = _queries(hits)
    members = _members(labels, hits)
    classes = int(members.max()) + 1
    draws = np.empty(resamples)
    for part, picked in _draw(len(hits), resamples, seed):
        cells = members[picked] + np.arange(len(picked))[:, None] * classes
        flat, size = cells.ravel(), len(picked) * classes
        shape = (len(picked), classes)
        counts = np.bincount(flat, minlength=size).reshape(shape)
        totals = np.bincount(flat, weights=hits[picked].ravel(), minlength=size).reshape(shape)
        rates = totals / np.maximum(counts, 1)
        draws[part] = rates.sum(axis=1) / np.count_nonzero(counts, axis=1)
    value = np.mean(np.bincount(members, weights=hits) / np.bincount(members))
    return _percentiles(float(value), draws, level)


def _draw(images: int, resamples: int, seed: int):
    """Yield slices of the resamples with their drawn indices (resamples, images)."""
    rng = np.random.default_rng(seed)
    step = max(1, _CELLS // images)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        yield slice(start, stop), rng.integers(0, images, size=(stop - start, images))


def _percentiles(value: float, draws: np.ndarray, level: float) -> Interval:
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(draws, [tail, 1.0 - tail])
    return Interval(value, float(low), float(high))


def _queries(hits: np.ndarray) -> np.ndarray:
    hits = np.asarray(hits, dtype=np.float64)
    if hits.ndim != 1 or not len(hits):
        raise ValueError(f"hits have shape {hits.shape}, expected (queries,), not empty")
    return hits


def _members(clusters: np.ndarray, hits: np.ndarray) -> np.ndarray:
    """Return the index of each query's cluster, with occurring clusters numbered from 0."""
    if np.shape(clusters) != hits.shape:
        raise ValueError(f"{np.shape(clusters)} clusters do not fit {hits.shape} hits")
    return np.unique(np.asarray(clusters), return_inverse=True)[1]
