from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rolesynth_assets.pairs.diversity import (
    distinct_n,
    mean_pairwise_similarity,
    measure_diversity,
    self_bleu,
    sentence_embeddings,
    vendi_score,
)
from rolesynth_assets_tests.property_profiles import examples


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def one_axis_each(texts: Sequence[str]) -> np.ndarray:
    """An embedding in which different texts are orthogonal and equal ones the same."""
    kinds = sorted(set(texts))
    return np.eye(len(kinds), dtype=np.float32)[[kinds.index(text) for text in texts]]


def captions(groups: dict[tuple[str, str], list[str]]) -> pl.DataFrame:
    rows = [(image, length, text) for (image, length), texts in groups.items() for text in texts]
    return pl.DataFrame(rows, schema=["image_id", "length", "text"], orient="row")


def test_equal_captions_are_one_caption() -> None:
    same = ["a red apple on a table"] * 4
    vectors = np.tile(unit(np.arange(1, 7)[None]), (4, 1))
    assert vendi_score(vectors) == pytest.approx(1)
    assert mean_pairwise_similarity(vectors) == pytest.approx(1)
    assert self_bleu(same) == pytest.approx(100)
    assert distinct_n(same, 1) == pytest.approx(5 / 24)  # a, red, apple, on, table


def test_orthogonal_embeddings_are_n_captions() -> None:
    assert vendi_score(np.eye(5, 9, dtype=np.float32)) == pytest.approx(5)
    assert mean_pairwise_similarity(np.eye(5, 9, dtype=np.float32)) == pytest.approx(0)


def test_known_values_of_the_word_measures() -> None:
    assert distinct_n(["a b a", "b c"], 1) == pytest.approx(3 / 5)
    assert distinct_n(["a b a", "b c"], 2) == 1.0  # ab, ba, bc: none crosses from text to text
    assert distinct_n(["A b", "a B"], 2) == 0.5
    assert distinct_n(["one"], 2) == 0.0
    assert self_bleu(["red apple here", "blue sky above"]) < 20
    assert self_bleu(["two words", "Two words"]) == pytest.approx(100)


@examples(25)
@given(arrays(np.float64, st.tuples(st.integers(2, 8), st.just(6)), elements=st.floats(0.1, 1)))
def test_fast_paths_equal_the_plain_formulas(rows: np.ndarray) -> None:
    from vendi_score import vendi

    vectors = unit(rows)
    kernel = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    n = len(vectors)
    pairs = [kernel[i, j] for i in range(n) for j in range(n) if i != j]
    assert mean_pairwise_similarity(vectors) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert vendi_score(vectors) == pytest.approx(vendi.score_K(kernel), rel=1e-6)


def test_measures_compare_within_image_and_length_only() -> None:
    frame = captions(
        {
            ("i1", "long"): ["a b c d", "a b c d"],
            ("i1", "short"): ["e", "f"],
            ("i2", "long"): ["a b c d", "g h i j"],
            ("i3", "short"): ["alone"],
        }
    )
    measured = measure_diversity(frame, embed=one_axis_each)
    assert measured is not None
    assert (measured.n_images, measured.n_captions) == (2, 6)
    assert measured.vendi_score == pytest.approx((1 + 2 + 2) / 3)
    assert measured.mean_pairwise_similarity == pytest.approx((1 + 0 + 0) / 3)
    assert measured.distinct_1 == pytest.approx((0.5 + 1 + 1) / 3)


def test_one_caption_an_image_has_nothing_to_differ_from() -> None:
    frame = captions({("i1", "long"): ["one two"], ("i1", "short"): ["one"]})
    assert measure_diversity(frame, embed=one_axis_each) is None
    silent = frame.with_columns(pl.lit(None, pl.String).alias("text"))
    assert measure_diversity(silent) is None
    with pytest.raises(ValueError, match="needs two"):
        self_bleu(["one"])


def test_the_draw_depends_on_its_seed_and_not_on_the_row_order() -> None:
    frame = captions(
        {(f"i{n}", "long"): ["x", "x" if n % 2 else "y", "z"[: n % 3]] for n in range(30)}
    )
    first = measure_diversity(frame, max_images=7, draw_seed=1, embed=one_axis_each)
    mixed = frame.sample(fraction=1, shuffle=True, seed=5)
    assert first == measure_diversity(mixed, max_images=7, draw_seed=1, embed=one_axis_each)
    other = measure_diversity(frame, max_images=7, draw_seed=2, embed=one_axis_each)
    assert first is not None and other is not None
    assert first.n_images == other.n_images == 7
    assert first.vendi_score != other.vendi_score


def test_packaged_sentence_model_puts_meaning_above_words() -> None:
    texts = ["A cat sleeps on a sofa.", "A kitten naps on the couch.", "Stocks fell on Monday."]
    vectors = sentence_embeddings([*texts, texts[0]])
    assert vectors.shape == (4, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    assert np.array_equal(vectors[0], vectors[3])
