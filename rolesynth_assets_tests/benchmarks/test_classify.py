import numpy as np
import pytest

from rolesynth_assets.benchmarks.classify import class_features, class_texts, classification_hits


def _unit(seed: int, *shape: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_texts_run_class_by_class_and_leave_braces_in_names_alone() -> None:
    texts = class_texts(["cat", "{x}"], ["a {c}.", "the {c}, {c}"])
    assert texts == ["a cat.", "the cat, cat", "a {x}.", "the {x}, {x}"]


def test_templates_are_averaged_and_normalised_again() -> None:
    rows = _unit(0, 6, 5)
    classes = class_features(rows, 2)
    for index in range(2):
        mean = rows[3 * index : 3 * index + 3].mean(axis=0)
        np.testing.assert_allclose(classes[index], mean / np.linalg.norm(mean), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(classes, axis=1), 1.0, rtol=1e-6)


def test_hits_equal_the_sorted_matrix_for_any_block() -> None:
    images, classes = _unit(1, 57, 12), _unit(2, 9, 12)
    labels = np.random.default_rng(3).integers(0, 9, size=57)
    order = np.argsort(-(images @ classes.T), axis=1)
    for block in (1, 10, 100):
        hits = classification_hits(images, classes, labels, ks=(1, 5), image_block=block)
        for k in (1, 5):
            expected = (order[:, :k] == labels[:, None]).any(axis=1)
            np.testing.assert_array_equal(hits.at[k], expected)
        places = np.argmax(order == labels[:, None], axis=1) + 1
        np.testing.assert_array_equal(hits.rank, places)


def test_two_classes_of_one_name_share_the_hit() -> None:
    classes = np.eye(3, dtype=np.float32)[[0, 0, 2]]
    hits = classification_hits(np.eye(3)[[0, 2]], classes, np.array([1, 2]), ks=(1,))
    np.testing.assert_allclose(hits.at[1], [0.5, 1.0])
    np.testing.assert_allclose(hits.rank, [1.5, 1.0])


def test_a_collapsed_encoder_scores_one_of_the_classes() -> None:
    same = np.tile(_unit(4, 1, 6), (20, 1))
    hits = classification_hits(same, same, np.arange(20), ks=(1, 5))
    assert hits.at[1].mean() == pytest.approx(1 / 20)
    assert hits.rank.tolist() == [10.5] * 20
    assert hits.at[5].mean() == pytest.approx(5 / 20)


def test_faulty_input_is_refused() -> None:
    with pytest.raises(ValueError, match="5 text embeddings do not divide into 2 classes"):
        class_features(_unit(0, 5, 4), 2)
    with pytest.raises(ValueError, match="average to zero"):
        class_features(np.array([[1.0, 0.0], [-1.0, 0.0]]), 1)
    with pytest.raises(ValueError, match="indices of the 3 classes"):
        classification_hits(np.eye(3), np.eye(3), np.array([0, 1, 3]))
