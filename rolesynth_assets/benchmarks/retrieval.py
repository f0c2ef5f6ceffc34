"""Image-to-text and text-to-image recall at k, without the whole similarity matrix in memory.

As in CLIP-like papers, an image counts as found if one of its captions is among the first k
captions, and a caption if its image is among the first k images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rolesynth_assets.benchmarks.ranking import (
    TIE_TOLERANCE,
    check_embeddings,
    expected_rank,
    hit_probability,
)

IMAGE_BLOCK = 1024
TEXT_BLOCK = 4096  # a block of similarities: 1024 x 4096 float32 = 16 MiB


@dataclass(frozen=True)
class RetrievalHits:
    """Hits per query and k, in [0, 1]; a value between 0 and 1 is a tie (see `ranking`).

    `image_to_text[k]` has shape (images,), `text_to_image[k]` shape (texts,); so have the ranks of
    the first right candidate, `image_rank` and `text_rank`.
    """

    image_to_text: dict[int, np.ndarray]
    text_to_image: dict[int, np.ndarray]
    image_rank: np.ndarray
    text_rank: np.ndarray


def retrieval_hits(
    image_features: np.ndarray,
    text_features: np.ndarray,
    text_image: np.ndarray,
    *,
    ks: tuple[int, ...] = (1, 5, 10),
    image_block: int = IMAGE_BLOCK,
    text_block: int = TEXT_BLOCK,
) -> RetrievalHits:
    """Rank every caption for every image and every image for every caption.

    A rank needs no sorting: it is the number of wrong candidates that score higher than the best
    right one. They are counted block by block, for both directions at once, so the memory for
    similarities is one block for any size of benchmark.

    Args:
        image_features: (images, d), L2-normalised.
        text_features: (texts, d), L2-normalised.
        text_image: (texts,) index of each text's image; every image needs a text.
        ks: the cut-offs of recall.
        image_block: images per block.
        text_block: texts per block.

    Raises:
        ValueError: shapes do not fit, an image has no text, or a row is not normalised.
    """
    text_image = np.asarray(text_image, dtype=np.int64)
    if text_image.ndim != 1 or not len(text_image):
        raise ValueError(f"text_image has shape {text_image.shape}, expected (texts,), not empty")
    images = check_embeddings("image", image_features, len(image_features))
    texts = check_embeddings("text", text_features, len(text_image))
    per_image = np.bincount(text_image, minlength=len(images))
    if len(per_image) > len(images) or not per_image.all():
        raise ValueError(
            f"text_image must name each of the {len(images)} images at least once and no other"
        )
    right = _scores_of_right_pairs(images, texts, text_image, text_block)
    best = np.full(len(images), -np.inf, dtype=np.float32)
    np.maximum.at(best, text_image, right)
    tied_right = np.bincount(
        text_image, weights=right >= best[text_image] - TIE_TOLERANCE, minlength=len(images)
    )
    counts = _count_wrong(images, texts, text_image, best, right, image_block, text_block)
    image_greater, image_tied, text_greater, text_tied = counts
    one = np.ones(len(texts))
    return RetrievalHits(
        {k: hit_probability(image_greater, tied_right, image_tied, k) for k in ks},
        {k: hit_probability(text_greater, one, text_tied, k) for k in ks},
        expected_rank(image_greater, tied_right, image_tied),
        expected_rank(text_greater, one, text_tied),
    )


def _scores_of_right_pairs(
    images: np.ndarray, texts: np.ndarray, text_image: np.ndarray, block: int
) -> np.ndarray:
    scores = np.empty(len(texts), dtype=np.float32)
    for start in range(0, len(texts), block):
        rows = slice(start, start + block)
        scores[rows] = np.einsum("td,td->t", texts[rows], images[text_image[rows]])
    return scores


def _count_wrong(
    images: np.ndarray,
    texts: np.ndarray,
    text_image: np.ndarray,
    best: np.ndarray,
    right: np.ndarray,
    image_block: int,
    text_block: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Count wrong candidates above the right score and tied with it, for images and texts."""
    above_image, level_image = np.zeros((2, len(images)), dtype=np.int64)
    above_text, level_text = np.zeros((2, len(texts)), dtype=np.int64)
    for top in range(0, len(images), image_block):
        rows = slice(top, top + image_block)
        for left in range(0, len(texts), text_block):
            columns = slice(left, left + text_block)
            scores = images[rows] @ texts[columns].T
            owner = text_image[columns] - top
            own = np.flatnonzero((owner >= 0) & (owner < len(scores)))
            scores[owner[own], own] = -np.inf  # right pairs do not count
            for axis, bound, above, level in (
                (1, best[rows, None], above_image[rows], level_image[rows]),
                (0, right[None, columns], above_text[columns], level_text[columns]),
            ):
                higher = np.count_nonzero(scores > bound + TIE_TOLERANCE, axis=axis)
                above += higher
                level += np.count_nonzero(scores >= bound - TIE_TOLERANCE, axis=axis) - higher
    return above_image, level_image, above_text, level_text
