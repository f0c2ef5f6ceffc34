"""One picture in several places: one row, and rejects that name both places."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.images.rules import IngestRules
from rolesynth_assets.images.shards.registry import load_shards, register_path
from rolesynth_assets.images.sync import sync_shard
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store


@pytest.fixture
def root(tmp_path: Path, noise, encode) -> Path:
    """Two folders: `a` with the pictures 0, 1, 2, and `b` with 1, 2, 3."""
    for name, seeds in (("a", (0, 1, 2)), ("b", (1, 2, 3))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            (tmp_path / name / f"{seed}.png").write_bytes(encode(noise(seed)))
        register_path(tmp_path / "data", tmp_path / name, name)
    return tmp_path / "data"


def held(root: Path) -> dict[str, int]:
    store = Store(root)
    return {key: store.count("images", {"shard": key}) for key in load_shards(root)}


def sync(root: Path, *shards: str, policy: str = "first"):
    rules = IngestRules.model_validate({"duplicates": policy})
    return [sync_shard(Store(root), root, shard, rules=rules) for shard in shards]


def test_the_shard_that_has_a_picture_keeps_it(root):
    first, second = sync(root, "a-0000", "b-0000")
    assert (first.images, second.images, second.rejects) == (3, 1, {"duplicate": 2})
    rows = Store(root).read("image_rejects").to_pylist()
    assert {(row["source"], row["detail"]) for row in rows} == {
        ("b/1.png", "the same bytes as a/1.png of shard a-0000"),
        ("b/2.png", "the same bytes as a/2.png of shard a-0000"),
    }
    sync(root, "b-0000", "a-0000", "b-0000")  # in any order, the same again
    assert held(root) == {"a-0000": 3, "b-0000": 1}
    assert Store(root).count("image_rejects") == 2


def test_the_newest_place_takes_a_picture_with_its_captions(root):
    sync(root, "a-0000")
    store = Store(root)
    one = image_id((root.parent / "a" / "1.png").read_bytes())
    captions = captions_of(one, "a-0000")
    store.append("captions", {"shard": "a-0000", "role_set": "roles5"}, captions)
    sync(root, "b-0000", policy="newest")
    assert held(root) == {"a-0000": 1, "b-0000": 3}
    assert store.keys("captions", {"shard": "b-0000", "role_set": "roles5"}) == {"c" * 64}
    assert store.count("captions", {"shard": "a-0000", "role_set": "roles5"}) == 0
    [lost, _] = sorted(
        store.read("image_rejects", {"shard": "a-0000"}).to_pylist(), key=lambda r: r["source"]
    )
    assert lost["detail"] == "the same bytes as b/1.png of shard b-0000"
    sync(root, "a-0000", policy="newest")  # does not take it back
    assert held(root) == {"a-0000": 1, "b-0000": 3}


def captions_of(image: str, shard: str) -> pa.Table:
    from rolesynth_assets.store.lance.schemas import CAPTIONS

    row: dict[str, object] = {}
    for field in CAPTIONS.schema:
        row[field.name] = "x" if pa.types.is_string(field.type) else 0
    row |= {"caption_id": "c" * 64, "shard": shard, "role_set": "roles5", "image_id": image}
    return pa.Table.from_pylist([row], schema=CAPTIONS.schema)


def test_all_keeps_both_and_the_count_says_so(root):
    _, second = sync(root, "a-0000", "b-0000", policy="all")
    assert (second.images, second.elsewhere) == (3, 2)
    assert held(root) == {"a-0000": 3, "b-0000": 3}
    sync(root, "a-0000", "b-0000")  # the first by key keeps what both have
    assert held(root) == {"a-0000": 3, "b-0000": 1}
    sync(root, "b-0000", policy="all")
    sync(root, "b-0000", "a-0000", policy="newest")
    assert held(root) == {"a-0000": 1, "b-0000": 3}


def test_a_renamed_file_takes_its_row_along(root):
    sync(root, "a-0000")
    folder = root.parent / "a"
    (folder / "0.png").rename(folder / "renamed.png")
    [shard] = register_path(root, folder, "a")
    sync(root, shard.key, "a-0000")
    store = Store(root)
    [row] = store.read("images", {"shard": shard.key}).to_pylist()
    assert row["source"] == "a/renamed.png"
    assert store.count("images") == 3


def test_a_moved_project_finds_nothing_new(root, tmp_path_factory):
    sync(root, "a-0000", "b-0000")
    moved = tmp_path_factory.mktemp("other") / "project"
    shutil.move(root.parent, moved)
    data = moved / "data"
    assert register_path(data, moved / "a", "a") == []
    assert load_shards(data)["a-0000"].uri == str(moved / "a")
    sync(data, "a-0000", "b-0000")
    assert held(data) == {"a-0000": 3, "b-0000": 1}
    sources = Store(data).read("images", None, ["source"])["source"].to_pylist()
    assert all(not source.startswith("/") for source in sources)


def test_many_ids_are_looked_up_through_an_index(root):
    """More rows than are read without one: the look-up of ids uses an index."""
    import lance

    store = Store(root)
    rows = [
        {"image_id": f"{n:064x}", "shard": "m", "source": str(n), "media_type": "x", "width": 1,
         "height": 1, "bytes": 1, "data": b"x", "ordinal": n}
        for n in range(300)
    ]  # fmt: skip
    store.append("images", {"shard": "m"}, pa.Table.from_pylist(rows, schema=IMAGES.schema))
    store.index_keys("images", unindexed=100)
    dataset = lance.dataset(root / "lance" / "images.lance")
    assert [index.field_names for index in dataset.describe_indices()] == [["image_id"]]
    plan = dataset.scanner(["image_id"], filter=f"image_id IN ('{3:064x}')").explain_plan()
    assert "ScalarIndexQuery" in plan
