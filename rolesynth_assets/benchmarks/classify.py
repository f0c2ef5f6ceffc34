"""Zero-shot classification: class embeddings from templates, and hits at k."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rolesynth_assets.benchmarks.ranking import (
    TIE_TOLERANCE,
    check_embeddings,
    expected_rank,
    hit_probability,
)

IMAGE_BLOCK = 4096


@dataclass(frozen=True)
class ClassHits:
    """Hits per image and k, in [0, 1], and the rank of each image's class, from 1.

    `at[k]` and `rank` have shape (images,); a hit between 0 and 1 is a tie (see `ranking`).
    """

    at: dict[int, np.ndarray]
    rank: np.ndarray


def class_texts(class_names: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Return each class name in each template, class by class: classes * templates texts."""
    return [template.replace("{c}", name) for name in class_names for template in templates]


def class_features(text_features: np.ndarray, classes: int) -> np.ndarray:
    """Average the normalised embeddings of a class over its templates and normalise again.

    Args:
        text_features: (classes * templates, d) in the order of `class_texts`, L2-normalised.
        classes: number of classes.

    Returns:
        (classes, d) float32, L2-normalised.

    Raises:
        ValueError: the number of rows is not a multiple of `classes`, or the templates of a class
            average to zero.
    """
    rows = len(text_features)
    if not rows or rows % classes:
        raise ValueError(f"{rows} text embeddings do not divide into {classes} classes")
    texts = check_embeddings("text", text_features, rows)
    means = texts.reshape(classes, rows // classes, -1).mean(axis=1)
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    if not np.all(norms > 1e-6):
        raise ValueError("the templates of a class have opposite embeddings; they average to zero")
    return means / norms


def classification_hits(
    image_features: np.ndarray,
    classes: np.ndarray,
    labels: np.ndarray,
    *,
    ks: tuple[int, ...] = (1, 5),
    image_block: int = IMAGE_BLOCK,
) -> ClassHits:
    """Return for each image whether its class is among the k highest scoring ones, and its rank.

    Args:
        image_features: (images, d), L2-normalised.
        classes: (classes, d) from `class_features`.
        labels: (images,) class indices.
        ks: the cut-offs.
        image_block: images per block of similarities.

    Raises:
        ValueError: shapes do not fit, a label is out of range, or a row is not normalised.
    """
    labels = np.asarray(labels, dtype=np.int64)
    images = check_embeddings("image", image_features, len(labels))
    classes = check_embeddings("class", classes, len(classes))
    if not len(labels) or labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"labels must be indices of the {len(classes)} classes, and not empty")
    above, level = np.zeros((2, len(labels)), dtype=np.int64)
    for top in range(0, len(labels), image_block):
        rows = slice(top, top + image_block)
        scores = images[rows] @ classes.T
        own = (np.arange(len(scores)), labels[rows])
        right = scores[own][:, None]
        scores[own] = -np.inf
        above[rows] = np.count_nonzero(scores > right + TIE_TOLERANCE, axis=1)
        level[rows] = np.count_nonzero(scores >= right - TIE_TOLERANCE, axis=1) - above[rows]
    one = np.ones(len(labels))
    hits = {k: hit_probability(above, one, level, k) for k in ks}
    return ClassHits(hits, expected_rank(above, one, level))
