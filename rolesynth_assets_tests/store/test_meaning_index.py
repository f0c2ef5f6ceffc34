from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rolesynth_assets.store import meaning_index
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.forgotten_captions import forget_images
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.meaning_index import DIMENSIONS, MeaningIndex
from rolesynth_assets_tests.store.test_text_index import TEXTS, put

THEMES = ("dog", "snow", "kite", "zebra")


class Model:
    """Embeds a text by the themes that it names, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[: len(THEMES)] = [theme in text.lower() for theme in THEMES]
            row[-1] = 0.01
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path)
    put(made, TEXTS)
    put(made, ("Dogs of another role set.",), of="other")
    return made


def found(index: MeaningIndex, about: str) -> list[int]:
    ids = {digest("c", number, "s0"): number for number in range(len(TEXTS) + 1)}
    hits = index.search(Model()([about])[0])
    assert hits["relevance"].is_sorted(descending=True)
    return [ids.get(key, -1) for key in hits["caption_id"]]


def test_the_nearest_captions_come_first(store: Store) -> None:
    index = MeaningIndex(store.root, "two")
    assert index.facts is None
    assert index.build(store, Model()).captions == 4
    assert found(index, "dog and snow")[:2] == [0, 2]
    assert found(index, "kite")[0] == 3


def test_texts_that_did_not_change_are_not_embedded_again(store: Store) -> None:
    index, again = MeaningIndex(store.root, "two"), Model()
    index.build(store, Model())
    put(store, ("A zebra.", *TEXTS[1:]))
    put(store, ("A dog sleeps.",), shard="s1")
    index.build(store, again)
    assert again.asked == ["A zebra."]
    assert found(index, "zebra")[0] == 0
    assert index.search(Model()(["dog"])[0], limit=20).height == 5


def test_a_vector_is_a_captions_or_the_mean_of_an_images(store: Store) -> None:
    index = MeaningIndex(store.root, "two")
    index.build(store, Model())
    for key in (digest("c", 3, "s0"), "image 3"):
        vector = index.vector_of(key)
        assert vector is not None and vector.argmax() == THEMES.index("kite")
    assert index.vector_of("0" * 64) is None
    assert index.vector_of("' OR true --") is None


def test_withdrawn_images_leave_the_index(store: Store) -> None:
    for name in ("two", "other"):
        MeaningIndex(store.root, name).build(store, Model())
    assert forget_images(store.root, ["image 1"]) == ["two"]
    index = MeaningIndex(store.root, "two")
    assert sorted(found(index, "dog")) == [0, 2, 3]
    assert index.facts and (index.facts.captions, index.facts.withdrawn) == (3, 1)


def test_many_captions_get_an_index_that_finds_what_comparing_all_finds(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = tuple(f"{THEMES[n % 4]} {THEMES[n // 4 % 4]} {n}" for n in range(600))
    put(store, texts)
    index = MeaningIndex(store.root, "two")
    index.build(store, Model())
    exact = index.search(Model()(["zebra kite"])[0], limit=20)["relevance"]
    monkeypatch.setattr(meaning_index, "FLAT", 500)
    index.build(store, Model())
    near = index.search(Model()(["zebra kite"])[0], limit=20)["relevance"]
    assert near.to_list() == pytest.approx(exact.to_list(), abs=1e-3)


def test_nothing_to_embed_is_an_empty_index_and_none_says_so(store: Store) -> None:
    index = MeaningIndex(store.root, "nobody")
    with pytest.raises(FileNotFoundError, match="'nobody' has no meaning index"):
        index.search(np.ones(DIMENSIONS))
    assert index.build(store, Model()).captions == 0
    assert index.search(np.ones(DIMENSIONS)).is_empty()
