from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.clip.recipe import Recipe
from rolesynth_assets.store.errors import MissingRowError
from rolesynth_assets.store.lance.schemas import IMAGES, PAIRS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.training_sets.rows import (
    selected_pairs,
    training_set,
    training_set_row,
)
from rolesynth_assets.training_sets.select import EmptySelectionError


def recipe(**changes) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "mine",
            "description": "Mine.",
            "role_set": "r5",
            "model": "rolesynth-nano",
            "optimizer": {"lr": 1e-3},
            "schedule": {"epochs": 2, "batch_images": 16},
            "seeds": [1, 2, 3],
            **changes,
        }
    )


def write_pairs(store: Store, shard: str, kept: dict[str, bool], role_set: str = "r5") -> None:
    """One long caption ``c-<image>`` for each image."""
    rows = [
        {
            "caption_id": f"c-{image}",
            "shard": shard,
            "role_set": role_set,
            "image_id": image,
            "role": "A",
            "length": "long",
            "text": f"text of {image}",
            "score": 50,
            "kept": keep,
            "reason": None if keep else "below_cut",
        }
        for image, keep in kept.items()
    ]
    table = pa.Table.from_pylist(rows, schema=PAIRS.schema)
    store.replace("pairs", {"shard": shard, "role_set": role_set}, table)


def write_images(store: Store, shard: str, images: list[str]) -> None:
    rows = [
        {
            "image_id": image,
            "shard": shard,
            "source": image,
            "media_type": "image/png",
            "width": 8,
            "height": 8,
            "bytes": 3,
            "data": f"{shard}:{image}".encode(),
            "ordinal": n,
        }
        for n, image in enumerate(images)
    ]
    table = pa.Table.from_pylist(rows, schema=IMAGES.schema)
    store.append("images", {"shard": shard}, table)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    write_images(store, "s0", ["i1", "i2", "both"])
    write_images(store, "s1", ["i3", "both"])
    write_pairs(store, "s0", {"i1": True, "i2": False, "both": True})
    write_pairs(store, "s1", {"i3": True, "both": False})
    write_pairs(store, "s0", {"i1": True, "i2": True}, role_set="other")
    return store


def test_selected_are_the_recipes_pairs_once_each(store: Store) -> None:
    version = store.version("pairs")
    assert selected_pairs(store, recipe(), version)["image_id"].to_list() == ["both", "i1", "i3"]
    everything = selected_pairs(store, recipe(cut="all"), version)["image_id"]
    assert everything.to_list() == ["both", "i1", "i2", "i3"]


def test_a_later_write_does_not_reach_a_pinned_version(store: Store) -> None:
    version = store.version("pairs")
    before = training_set(store, recipe(), selected_pairs(store, recipe(), version))
    write_pairs(store, "s1", {"i3": False})
    after = training_set(store, recipe(), selected_pairs(store, recipe(), version))
    assert after.digest == before.digest
    now = training_set(store, recipe(), selected_pairs(store, recipe(), store.version("pairs")))
    assert now.image_ids == ("both", "i1")
    assert now.digest != before.digest


def test_a_cut_that_leaves_nothing_is_an_error(store: Store) -> None:
    with pytest.raises(EmptySelectionError, match="'mine'"):
        selected_pairs(store, recipe(lengths=["short"]), store.version("pairs"))
    with pytest.raises(EmptySelectionError, match="'none'"):
        selected_pairs(store, recipe(role_set="none"), store.version("pairs"))


def test_images_are_read_from_their_own_shards(store: Store) -> None:
    rows = training_set(store, recipe(), selected_pairs(store, recipe(), store.version("pairs")))
    assert rows.image_ids == ("both", "i1", "i3")
    assert rows.images(["i3", "i1"]) == {"i1": b"s0:i1", "i3": b"s1:i3"}
    assert rows.images(["both"])["both"].endswith(b":both")


def test_a_missing_image_is_an_error(store: Store) -> None:
    write_pairs(store, "s1", {"i3": True, "lost": True})
    rows = training_set(store, recipe(), selected_pairs(store, recipe(), store.version("pairs")))
    with pytest.raises(MissingRowError, match=r"1 of 2 images are not there.*lost"):
        rows.images(["i1", "lost"])


def test_the_small_tables_takes_the_row(store: Store, tmp_path: Path) -> None:
    version = store.version("pairs")
    pairs = selected_pairs(store, recipe(), version)
    rows = training_set(store, recipe(), pairs)
    row = training_set_row(recipe(), pairs, rows, version)
    small = SmallTables(tmp_path)
    small.replace("training_sets", {"recipe": "mine"}, row)
    assert small.read("training_sets").to_dicts() == [
        {
            "recipe": "mine",
            "role_set": "r5",
            "cut": "scores",
            "pairs": 3,
            "images": 3,
            "pairs_version": version,
            "digest": rows.digest,
            "recipe_digest": recipe().digest,
        }
    ]
