from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from rolesynth_assets.pairs.checks import manifest_matches_tables
from rolesynth_assets.pairs.pair_manifest import (
    manifest_rows,
    multiplicity,
    pinned_version,
    shards_with_exclusions,
)
from rolesynth_assets.store.lance.schemas import PAIRS
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.left_out import EXCLUDED
from rolesynth_assets.store.small.tables import SmallTables


def write(store: Store, shard: str, rows: list[tuple[str, str, str, bool]], role_set="r5") -> None:
    """Replace a shard's pairs by rows of (caption, image, role, kept)."""
    table = pa.Table.from_pylist(
        [
            {
                "caption_id": caption,
                "shard": shard,
                "role_set": role_set,
                "image_id": image,
                "role": role,
                "length": "long" if caption.endswith("l") else "short",
                "text": f"text {caption}",
                "score": 50,
                "kept": kept,
                "reason": None if kept else "below_cut",
            }
            for caption, image, role, kept in rows
        ],
        schema=PAIRS.schema,
    )
    store.replace("pairs", {"shard": shard, "role_set": role_set}, table)


FIRST = [("c1l", "i1", "A", True), ("c2", "i1", "B", True), ("c3", "i2", "A", False)]
SECOND = [("d1", "i3", "B", False), ("d2l", "i4", "A", True)]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    write(store, "s1", SECOND)
    write(store, "s0", FIRST)
    write(store, "s0", [("e1", "i1", "A", True)], role_set="other")
    return store


def test_a_manifest_counts_each_shard(store: Store) -> None:
    rows = manifest_rows(store, "r5")
    assert rows.select("role_set", "shard", "kept", "candidates", "images").rows() == [
        ("r5", "s0", 2, 3, 1),
        ("r5", "s1", 1, 2, 1),
    ]
    assert rows["pairs_version"].to_list() == [store.version("pairs")] * 2
    assert rows["pairs_digest"].to_list() == [
        store.digest("pairs", {"shard": shard, "role_set": "r5"}) for shard in ("s0", "s1")
    ]


def test_shards_in_which_a_person_excluded_a_caption_are_found_in_the_manifests_version(
    store: Store,
) -> None:
    rows = manifest_rows(store, "r5")
    assert shards_with_exclusions(store, rows, "r5", ["caption_id"]).shards == []
    pairs = store.read("pairs", {"shard": "s1", "role_set": "r5"}).to_pylist()
    for row in pairs:
        row |= {"kept": False, "reason": EXCLUDED}
    table = pa.Table.from_pylist(pairs, schema=PAIRS.schema)
    store.replace("pairs", {"shard": "s1", "role_set": "r5"}, table)
    later = manifest_rows(store, "r5")
    (found,) = shards_with_exclusions(store, later, "r5", ["caption_id"])
    assert sorted(found["caption_id"]) == ["d1", "d2l"]
    assert shards_with_exclusions(store, rows, "r5", ["caption_id"]).shards == []
    assert shards_with_exclusions(store, later.head(1), "r5", ["caption_id"]).shards == []


def test_the_small_tables_takes_the_rows(store: Store, tmp_path: Path) -> None:
    small = SmallTables(tmp_path)
    rows = manifest_rows(store, "r5")
    small.replace("manifests", {"role_set": "r5"}, rows)
    stored = small.read("manifests", {"role_set": "r5"})
    assert stored.sort("shard").equals(rows)
    assert manifest_matches_tables(stored, manifest_rows(store, "r5")).passed


def test_no_pairs_are_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match=r"'r6' has no pairs: materialize filtered_pairs"):
        manifest_rows(store, "r6")


def test_only_the_shard_that_changed_differs(store: Store) -> None:
    told = manifest_rows(store, "r5")
    write(store, "s0", FIRST[::-1])  # the same rows in another order, a new version
    same = manifest_matches_tables(told, manifest_rows(store, "r5"))
    assert (same.passed, same.value, same.metadata) == (True, 0, {"shards": []})
    write(store, "s1", [SECOND[0], ("d2l", "i4", "A", False)])
    changed = manifest_matches_tables(told, manifest_rows(store, "r5"))
    assert (changed.passed, changed.value, changed.threshold) == (False, 1, 0)
    assert changed.metadata == {"shards": ["s1"]}


def test_a_new_or_lost_shard_differs(store: Store) -> None:
    told = manifest_rows(store, "r5")
    write(store, "s2", [("f1", "i9", "A", True)])
    more = manifest_rows(store, "r5")
    assert manifest_matches_tables(told, more).metadata == {"shards": ["s2"]}
    assert manifest_matches_tables(more, told).metadata == {"shards": ["s2"]}


def test_a_selected_shard_that_the_manifest_does_not_list_differs(store: Store) -> None:
    listed = manifest_rows(store, "r5", ["s0"])
    assert manifest_matches_tables(listed, listed, ["s0"]).passed
    found = manifest_matches_tables(listed, listed, ["s0", "s1"])
    assert (found.passed, found.metadata) == (False, {"shards": ["s1"]})


def test_multiplicity_counts_kept_captions_and_their_images() -> None:
    pairs = pl.DataFrame(
        [
            ("i1", "A", "long", True),
            ("i1", "A", "long", True),
            ("i2", "A", "long", True),
            ("i2", "A", "short", True),
            ("i3", "B", "long", False),
            ("i3", "B", "short", True),
        ],
        schema=["image_id", "role", "length", "kept"],
        orient="row",
    )
    assert multiplicity(pairs).rows() == [
        ("A", "long", 3, 2),
        ("A", "short", 1, 1),
        ("B", "short", 1, 1),
    ]


def test_a_manifest_that_is_not_there_is_told_with_the_way_out() -> None:
    manifest = pl.DataFrame({"pairs_version": [3, 4]})
    assert pinned_version(manifest, "r5") == 4
    with pytest.raises(ValueError, match=r"pair_manifests\[r5\] first .*--role-set r5"):
        pinned_version(manifest.clear(), "r5")
