from __future__ import annotations

import pytest

from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.shard_rows import ShardRows

COLUMNS = ["shard", "caption_id", "kept"]


def where(shard: str, role_set: str = "A") -> dict[str, str]:
    return {"shard": shard, "role_set": role_set}


@pytest.fixture
def pairs(store: Store, pair_rows) -> Store:
    store.append("pairs", where("s1"), pair_rows(["k3"]))
    store.append("pairs", where("s0"), pair_rows(["k1"]))
    store.append("pairs", where("s0", "B"), pair_rows(["k9"]))
    store.append("pairs", where("s0"), pair_rows(["k2"]))
    return store


def test_each_shard_is_one_frame_and_can_be_read_again(pairs: Store) -> None:
    rows = ShardRows(pairs, "pairs", "A", COLUMNS)
    assert rows.shards == ["s0", "s1"]
    for _ in range(2):
        assert [sorted(frame["caption_id"]) for frame in rows] == [["k1", "k2"], ["k3"]]
    assert next(iter(rows)).columns == COLUMNS
    assert list(ShardRows(pairs, "pairs", "A", COLUMNS, [])) == []
    assert ShardRows(pairs, "pairs", "A", COLUMNS, ["s1", "absent"]).shards == ["s1"]
    assert ShardRows(pairs, "scores", "A", ["score"]).shards == []


def test_it_stays_at_its_version(pairs: Store, pair_rows) -> None:
    rows, before = ShardRows(pairs, "pairs", "A", COLUMNS), pairs.digest("pairs", where("s0"))
    combined = rows.digest()
    pairs.append("pairs", where("s0"), pair_rows(["k4"]))
    assert sum(frame.height for frame in rows) == 3
    assert rows.digests() == {"s0": before, "s1": pairs.digest("pairs", where("s1"))}
    assert rows.digest() == combined != ShardRows(pairs, "pairs", "A", COLUMNS).digest()
    assert ShardRows(pairs, "pairs", "A", COLUMNS, version=rows.version).digest() == combined


def test_the_digest_is_that_of_the_shards_and_not_of_their_order_on_disk(pairs: Store) -> None:
    rows = ShardRows(pairs, "pairs", "A", ["kept"])
    each = [part for shard in ("s0", "s1") for part in (shard, rows.digests()[shard])]
    assert rows.digest() == digest("pairs by shard", *each)
    pairs.compact("pairs")
    assert ShardRows(pairs, "pairs", "A", COLUMNS).digest() == rows.digest()
