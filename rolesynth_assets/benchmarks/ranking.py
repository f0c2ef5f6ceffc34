"""Hits at k from counts, with ties in expectation over a random order.

If only strictly greater scores counted, a collapsed encoder, whose scores are all equal, would get
a perfect recall; if ties were misses, a model would be penalised for two images with one caption. A
tied query therefore gets the probability that a uniformly random order of the tied candidates puts
a right one among the first k. This needs no draw, does not depend on the order of the files, and
gives exactly the chance level if all scores are equal.
"""

from __future__ import annotations

import numpy as np

# For unit vectors in float32, a dot product computed in other blocks differs by ~1e-7.
TIE_TOLERANCE = 1e-6


def hit_probability(
    greater: np.ndarray, tied_right: np.ndarray, tied_wrong: np.ndarray, k: int
) -> np.ndarray:
    """Return the probability that a right candidate is among the first k, per query.

    With g wrong candidates above the best right one, and a right and b wrong ones tied with it,
    m = k - g places are left for the tied ones: 1 - C(b, m) / C(a + b, m), and 0 for m <= 0.

    Args:
        greater: g, integers of shape (queries,).
        tied_right: a >= 1, same shape.
        tied_wrong: b, same shape.
        k: number of first candidates that count.

    Returns:
        float64 of shape (queries,), 0 or 1 wherever there is no tie.
    """
    tied_wrong = np.asarray(tied_wrong, dtype=np.float64)
    tied = tied_wrong + tied_right
    places = np.clip(k - np.asarray(greater, dtype=np.int64), 0, None)
    miss = np.ones(np.broadcast(tied, places).shape)
    for taken in range(min(k, int(places.max(initial=0)))):
        drawn = taken < places
        left = np.maximum(tied_wrong - taken, 0.0) / np.maximum(tied - taken, 1.0)
        miss = np.where(drawn, miss * left, miss)
    return 1.0 - miss


def expected_rank(
    greater: np.ndarray, tied_right: np.ndarray, tied_wrong: np.ndarray
) -> np.ndarray:
    """Return the mean rank, from 1, of the first right candidate over random orders of the ties.

    With a right and b wrong ones tied, b / (a + 1) wrong ones precede the first right one on
    average; arguments as in `hit_probability`.
    """
    return np.asarray(greater, np.float64) + 1 + tied_wrong / (np.asarray(tied_right) + 1.0)


def chance_of_hit(right: np.ndarray, candidates: int, k: int) -> float:
    """Return the exact mean hit rate at k of a random ranking.

    A query with c right ones among n candidates has the rate 1 - C(n - c, k) / C(n, k)
    (hypergeometric), which is k / n if c is 1. The result is the mean over queries.

    Args:
        right: c per query, integers of shape (queries,), at least 1.
        candidates: n.
        k: number of first candidates that count.
    """
    values, counts = np.unique(np.asarray(right), return_counts=True)
    hits = hit_probability(np.zeros_like(values), values, candidates - values, k)
    return float(np.average(hits, weights=counts))


def check_embeddings(name: str, embeddings: np.ndarray, rows: int) -> np.ndarray:
    """Return `embeddings` as float32 of shape (rows, d) with unit rows.

    Raises:
        ValueError: the shape differs, a number is not finite (it would win every comparison), or a
            row is not L2-normalised.
    """
    embeddings = np.asarray(embeddings, dtype=np.float32)
    if embeddings.ndim != 2 or len(embeddings) != rows:
        raise ValueError(f"{name} embeddings have shape {embeddings.shape}, expected ({rows}, d)")
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    # not "any(... > ...)": a comparison with nan is false, so nan would pass
    if not np.all(np.abs(norms - 1.0) < 0.02):  # bf16 keeps 8 bits: norms within 2 ** -7
        bad = int(np.flatnonzero(~(np.abs(norms[:, 0] - 1.0) < 0.02))[0])
        raise ValueError(
            f"{name} embedding {bad} has norm {norms[bad, 0]}, not 1; the encoder must return "
            "finite L2-normalised rows (a diverged checkpoint returns nan)"
        )
    return embeddings / norms
