import re
from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.captions import search
from rolesynth_assets.browse.captions.search import fused
from rolesynth_assets.store.left_out import EXCLUDED
from rolesynth_assets.store.meaning_index import MeaningIndex
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld


def embed(texts: Sequence[str]) -> np.ndarray:
    """Embed by the letters of a text, so that different texts differ."""
    rows = np.zeros((len(texts), 384), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for place, letter in enumerate(text):
            row[(31 * place + ord(letter)) % 384] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def meant(indexed: StoredWorld, monkeypatch: pytest.MonkeyPatch) -> StoredWorld:
    monkeypatch.setattr(search, "meaning_of", lambda text: embed([text])[0])
    MeaningIndex(indexed.root, ROLE_SET).build(indexed.store, embed)
    return indexed


def first_image(page: str) -> str:
    found = re.search(r'href="/images/(\w{64})', page)
    assert found
    return found[1]


@pytest.mark.parametrize("by", ["meaning", "both"])
def test_the_nearest_caption_comes_first(client: TestClient, meant: StoredWorld, by: str) -> None:
    row = meant.store.read("captions").to_pylist()[7]
    page = client.get("/images", params={"q": row["text"], "by": by}).text
    assert first_image(page) == row["image_id"]
    assert "best match first" in page


def test_without_its_index_the_page_names_the_command(
    client: TestClient, indexed: StoredWorld
) -> None:
    page = words(client.get("/images?q=red&by=meaning").text)
    assert "no index for a search by meaning yet" in page
    assert "rolesynth stale --asset meaning_index --fix --missing" in page
    assert client.get("/images?q=red&by=magic").status_code == 400


def test_images_like_one_are_found_without_a_model(
    client: TestClient, meant: StoredWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "meaning_of", None)
    image = meant.images["s0"][2]
    page = client.get(f"/images/{image}").text
    assert f"like={image}" in page
    found = client.get(f"/images?role_set={ROLE_SET}&like={image}").text
    assert first_image(found) == image
    assert f"like {image[:12]}" in words(found) or "like" in words(found)
    assert "No caption matches" in words(client.get(f"/images?like={'0' * 64}").text)


def test_a_caption_that_a_person_excluded_is_not_found_by_meaning(
    client: TestClient, meant: StoredWorld
) -> None:
    row = meant.store.read("captions").to_pylist()[7]
    where = {"shard": row["shard"], "role_set": ROLE_SET}
    pairs = meant.store.read("pairs", where).to_pylist()
    gone = [
        pair | {"kept": False, "reason": EXCLUDED}
        if pair["caption_id"] == row["caption_id"]
        else pair
        for pair in pairs
    ]
    schema = meant.store.read("pairs", where).schema
    meant.store.replace("pairs", where, pa.Table.from_pylist(gone, schema=schema))
    asked = {"q": row["text"], "by": "meaning", "role": row["role"], "length": row["length"]}
    assert first_image(client.get("/images", params=asked).text) != row["image_id"]
    page = client.get("/images", params=asked | {"reason": EXCLUDED}).text
    assert first_image(page) == row["image_id"]


def test_places_in_both_searches_count_and_one_place_is_enough() -> None:
    near = pl.DataFrame({"caption_id": ["a", "b", "c"], "relevance": [0.9, 0.8, 0.7]})
    by_words = pl.DataFrame({"caption_id": ["c", "d"], "relevance": [12.0, 3.0]})
    found = fused(near, by_words)
    assert found["caption_id"].to_list()[0] == "c"
    assert set(found["caption_id"]) == {"a", "b", "c", "d"}
    scores = dict(found.iter_rows())
    assert scores["c"] == pytest.approx(1 / 63 + 1 / 61, abs=1e-6)
    assert scores["a"] == pytest.approx(1 / 61, abs=1e-6)
    assert fused(near.clear(), by_words)["caption_id"].to_list() == ["c", "d"]
