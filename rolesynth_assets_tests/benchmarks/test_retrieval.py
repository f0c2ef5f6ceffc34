import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.benchmarks.ranking import chance_of_hit
from rolesynth_assets.benchmarks.retrieval import retrieval_hits
from rolesynth_assets_tests.property_profiles import examples

KS = (1, 2, 5, 10)


def _naive_hits(scores: np.ndarray, right: np.ndarray, k: int, draws: int | None) -> np.ndarray:
    """Sort the whole matrix; break ties by a random order, averaged over `draws` of them."""
    rng = np.random.default_rng(0)
    hits = np.zeros(len(scores))
    for _ in range(draws or 1):
        noise = rng.random(scores.shape) if draws else np.zeros(scores.shape)
        order = np.lexsort((noise, -scores), axis=1)[:, :k]
        hits += np.take_along_axis(right, order, axis=1).any(axis=1)
    return hits / (draws or 1)


def _unit(rng: np.random.Generator, rows: int, d: int) -> np.ndarray:
    vectors = rng.normal(size=(rows, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _benchmark(seed: int, images: int, d: int, noise: float = 0.7):
    """Images with one to five captions each, in shuffled order, somewhat aligned."""
    rng = np.random.default_rng(seed)
    image_rows = _unit(rng, images, d)
    owner = rng.permutation(np.repeat(np.arange(images), rng.integers(1, 6, size=images)))
    text_rows = image_rows[owner] + noise * _unit(rng, len(owner), d)
    return image_rows, text_rows / np.linalg.norm(text_rows, axis=1, keepdims=True), owner


@examples(40)
@given(
    seed=st.integers(0, 10_000),
    images=st.integers(1, 40),
    image_block=st.integers(1, 50),
    text_block=st.integers(1, 90),
)
def test_blocks_of_any_size_equal_the_sorted_full_matrix(
    seed: int, images: int, image_block: int, text_block: int
) -> None:
    image_rows, text_rows, owner = _benchmark(seed, images, d=16)
    hits = retrieval_hits(
        image_rows, text_rows, owner, ks=KS, image_block=image_block, text_block=text_block
    )
    scores = image_rows.astype(np.float64) @ text_rows.astype(np.float64).T
    right = owner[None, :] == np.arange(images)[:, None]
    for k in KS:
        np.testing.assert_array_equal(hits.image_to_text[k], _naive_hits(scores, right, k, None))
        np.testing.assert_array_equal(
            hits.text_to_image[k], _naive_hits(scores.T, right.T, k, None)
        )


def test_ties_equal_a_random_order_in_expectation() -> None:
    # axis-aligned vectors: scores are exactly 0 or 1, so almost every candidate is tied
    rng = np.random.default_rng(3)
    image_rows = np.eye(3, dtype=np.float32)[rng.integers(0, 3, size=9)]
    owner = np.repeat(np.arange(9), 2)
    text_rows = np.eye(3, dtype=np.float32)[rng.integers(0, 3, size=18)]
    hits = retrieval_hits(image_rows, text_rows, owner, ks=KS, image_block=4, text_block=5)
    scores = image_rows @ text_rows.T
    right = owner[None, :] == np.arange(9)[:, None]
    for k in KS:
        for got, matrix, mask in (
            (hits.image_to_text[k], scores, right),
            (hits.text_to_image[k], scores.T, right.T),
        ):
            # standard error of a rate over 1,000 draws is at most 0.016
            np.testing.assert_allclose(got, _naive_hits(matrix, mask, k, 1_000), atol=0.07)


def test_a_collapsed_encoder_scores_chance_and_not_perfect() -> None:
    owner = np.repeat(np.arange(50), 3)
    same = np.tile(_unit(np.random.default_rng(1), 1, 24), (150, 1))
    hits = retrieval_hits(same[:50], same, owner, ks=KS, image_block=7, text_block=11)
    for k in KS:
        chance = chance_of_hit(np.full(50, 3), 150, k)
        assert hits.image_to_text[k].mean() == pytest.approx(chance)
        assert hits.text_to_image[k].mean() == pytest.approx(k / 50)


def test_chance_is_what_random_embeddings_reach() -> None:
    rng = np.random.default_rng(5)
    owner = np.repeat(np.arange(40), 3)
    found = []
    for _ in range(150):
        hits = retrieval_hits(_unit(rng, 40, 32), _unit(rng, 120, 32), owner, ks=(5,))
        found.append((hits.image_to_text[5].mean(), hits.text_to_image[5].mean()))
    simulated = np.mean(found, axis=0)
    # 6,000 image queries: standard error 0.0042; 18,000 text queries: 0.0025 and correlated
    assert simulated[0] == pytest.approx(chance_of_hit(np.full(40, 3), 120, 5), abs=0.015)
    assert simulated[1] == pytest.approx(5 / 40, abs=0.015)


def test_one_caption_for_two_images_is_shared_and_not_lost() -> None:
    # images 0 and 1 carry the same caption, so each finds its own in half of the orders
    rows = np.eye(3, dtype=np.float32)
    images = np.stack([rows[0], rows[0], rows[2]])
    texts = np.stack([rows[0], rows[0], rows[2]])
    hits = retrieval_hits(images, texts, np.arange(3), ks=(1, 2))
    np.testing.assert_allclose(hits.image_to_text[1], [0.5, 0.5, 1.0])
    np.testing.assert_allclose(hits.image_to_text[2], [1.0, 1.0, 1.0])


@examples(25)
@given(seed=st.integers(0, 10_000), images=st.integers(2, 25))
def test_hits_do_not_depend_on_the_order_of_files(seed: int, images: int) -> None:
    image_rows, text_rows, owner = _benchmark(seed, images, d=8)
    rng = np.random.default_rng(seed)
    order, text_order = rng.permutation(images), rng.permutation(len(owner))
    place = np.argsort(order)
    hits = retrieval_hits(image_rows, text_rows, owner, ks=(1, 5))
    moved = retrieval_hits(
        image_rows[order], text_rows[text_order], place[owner[text_order]], ks=(1, 5)
    )
    for k in (1, 5):
        np.testing.assert_allclose(moved.image_to_text[k], hits.image_to_text[k][order])
        np.testing.assert_allclose(moved.text_to_image[k], hits.text_to_image[k][text_order])
        assert np.all(hits.image_to_text[5] >= hits.image_to_text[1])


def test_a_diverged_model_is_an_error_and_not_a_perfect_score() -> None:
    texts = np.full((4, 8), np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="text embedding 0 has norm nan"):
        retrieval_hits(np.eye(4, 8), texts, np.arange(4))


@pytest.mark.parametrize("owner", [[0, 0, 1], [0, 1, 3]])
def test_an_image_without_caption_or_unknown_is_refused(owner: list[int]) -> None:
    with pytest.raises(ValueError, match="each of the 3 images"):
        retrieval_hits(np.eye(3), np.eye(3), np.array(owner))


def test_memory_is_one_block_and_not_the_matrix() -> None:
    import tracemalloc

    rng = np.random.default_rng(0)
    images, texts = _unit(rng, 400, 4), _unit(rng, 20_000, 4)
    owner = np.repeat(np.arange(400), 50)
    tracemalloc.start()
    retrieval_hits(images, texts, owner, ks=(1,), image_block=64, text_block=512)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8e6 < 400 * 20_000 * 4  # the matrix alone would take 32 MB
