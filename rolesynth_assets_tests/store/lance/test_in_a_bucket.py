"""The tables of a data root in a bucket, against those of one in a folder."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import ObjectPath, data_path
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.lineage.staleness.stored_tables import Stored, StoredTables
from rolesynth_assets.store.lance.maintenance import state, versions
from rolesynth_assets.store.lance.manifests import latest_version
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.small.upkeep import small_table_state
from rolesynth_assets.store.table_identity import SMALL, given_identity, identity
from rolesynth_assets.store.tombstones import Tombstone, Withdrawn, now, write_tombstone
from rolesynth_assets_tests.loopback_s3 import LoopbackS3

A, B = {"shard": "s0", "role_set": "A"}, {"shard": "s1", "role_set": "it's"}


@pytest.fixture
def stores(bucket_root: str, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    yield Store(bucket_root), Store(tmp_path / "root")


def write(store: Store, pair_rows) -> None:
    """Write as stages do: micro-batches, a repeated one, a replaced partition, a pruned one."""
    chosen = random.Random(3)
    for n in range(4):
        store.append("pairs", A, pair_rows([f"k{n}-{i}" for i in range(5)]))
    store.append("pairs", A, pair_rows([f"k3-{i}" for i in range(3, 8)], text="again"))
    with store.making("pairs", B):
        for n in range(3):
            store.append("pairs", B, pair_rows([f"b{n}-{i}" for i in range(4)]))
        store.append("pairs", B, pair_rows(["b0-1", "new"], text="twice"))
    keys = sorted(store.keys("pairs", A))
    store.prune("pairs", A, chosen.sample(keys, 12))
    store.replace("pairs", B, pair_rows(["b0-1", "b1-1", "other"], text="all"))
    store.remove("pairs", "caption_id = 'b1-1'")


def test_a_bucket_holds_what_a_folder_holds(stores: tuple[Store, Store], pair_rows) -> None:
    for store in stores:
        assert store.version("pairs") == 0
        assert store.read("pairs").num_rows == 0
        write(store, pair_rows)
    there, here = stores
    assert there.root.startswith("s3://")
    for partition in (A, B, None):
        assert there.digest("pairs", partition) == here.digest("pairs", partition)
    assert there.keys("pairs", B) == {"b0-1", "other"}
    assert there.plan("pairs", A, ["k0-0", "other", "x"]) is not None
    assert identity(there.root, "pairs")
    assert latest_version(data_path(DataPaths(there.root).lance_table("pairs"))) == there.version(
        "pairs"
    )


def test_upkeep_and_pins_of_a_table_in_a_bucket(
    bucket_root: str, pair_rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(bucket_root)
    for n in range(4):
        store.append("pairs", A, pair_rows([f"k{n}"]))
    digest, pinned = store.digest("pairs", A, version=2), 2
    store.keep_version("pairs", pinned)
    monkeypatch.setattr(versions, "READ_TIME", timedelta(0))
    monkeypatch.setattr(state, "SPARE_VERSIONS", 0)
    before = store.maintain("pairs")
    assert before is not None and before.disk_bytes > before.live_bytes > 0
    store.compact("pairs")
    after = store.state("pairs")
    assert after is not None and (after.files, after.rows) == (1, 4)
    assert pinned in store.versions("pairs") and 1 not in store.versions("pairs")
    assert store.digest("pairs", A, version=pinned) == digest
    store.remove("pairs", "caption_id = 'k0'")
    store.drop_deleted("pairs")
    store.release_versions("pairs", (), now=True)
    assert store.forget_versions("pairs") > 0
    assert len(store.versions("pairs")) == 1
    assert store.keys("pairs", A) == {"k1", "k2", "k3"}


def test_small_tables_and_tombstones_in_a_bucket(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallTables(bucket_root)
    withdrawn = Withdrawn(small)
    assert "a" not in withdrawn
    write_tombstone(small, Tombstone("a", "asked to", now(), ("s0",)))
    write_tombstone(small, Tombstone("b", "asked to", now(), ("s0",)))
    assert small.read("tombstones")["image_id"].sort().to_list() == ["a", "b"]
    monkeypatch.setattr("time.monotonic_ns", lambda: 10**18)  # later
    assert set(withdrawn) == {"a", "b"}
    monkeypatch.setattr(small, "read", lambda *_: pytest.fail("asked for each row"))
    assert "c" not in withdrawn and "a" in withdrawn
    found = small_table_state(small, "tombstones")
    assert found is not None and (found.rows, found.versions) == (2, 2)
    assert found.disk_bytes > found.live_bytes > 0


def test_staleness_knows_what_is_gone_from_a_bucket(bucket_root: str, pair_rows) -> None:
    store, small = Store(bucket_root), SmallTables(bucket_root)
    store.append("pairs", A, pair_rows(["k"]))
    small.replace("r1_items", {}, pl.DataFrame({"data_digest": ["d"], "item_id": ["i"]}))
    table_id = given_identity(bucket_root, SMALL)
    there = StoredTables(ObjectPath.of(bucket_root))
    assert there.lost(Stored("lance.pairs", 1, identity(bucket_root, "pairs") or "")) == ""
    assert there.lost(Stored("small.r1_items", 0, table_id)) == ""
    assert "went back" in there.lost(Stored("lance.pairs", 9))
    assert "was deleted" in there.lost(Stored("lance.captions", 1))
    assert "was deleted" in there.lost(Stored("small.cutoffs"))
    assert "made anew" in there.lost(Stored("small.r1_items", 0, "another"))


def test_a_bucket_that_cannot_be_read_is_no_empty_table(
    bucket_root: str, s3_service: LoopbackS3, pair_rows
) -> None:
    nowhere = Store("s3://no-such-bucket/data")
    for ask in (
        lambda: nowhere.read("pairs"),
        lambda: nowhere.version("pairs"),
        lambda: nowhere.append("pairs", A, pair_rows(["k"])),
        lambda: SmallTables("s3://no-such-bucket/data").read("cutoffs"),
    ):
        with pytest.raises(StorageError, match=r"There is no bucket 'no-such-bucket'"):
            ask()
    assert np.isfinite(Store(bucket_root).version("pairs"))
