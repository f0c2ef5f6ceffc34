from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.table_identity import given_identity, identity


def test_all_who_ask_at_once_get_the_same_id(tmp_path: Path) -> None:
    asking = Barrier(8)

    def ask(_: int) -> str:
        asking.wait()
        return given_identity(tmp_path, "pairs")

    with ThreadPoolExecutor(8) as threads:
        given = set(threads.map(ask, range(8)))
    assert given == {identity(tmp_path, "pairs")}


def test_a_table_made_anew_has_another_id(store: Store, pair_rows) -> None:
    store.append("pairs", {"shard": "s0", "role_set": "A"}, pair_rows(["k1"]))
    first = identity(store.root, "pairs")
    assert first and given_identity(store.root, "pairs") == first
    store.append("pairs", {"shard": "s0", "role_set": "A"}, pair_rows(["k2"]))
    assert identity(store.root, "pairs") == first
    Path(store.root, "lance", "pairs.lance").rename(Path(store.root, "away"))
    store.append("pairs", {"shard": "s0", "role_set": "A"}, pair_rows(["k1"]))
    assert identity(store.root, "pairs") not in (None, first)


def test_hosts_that_ask_at_once_get_the_same_id_in_a_bucket(bucket_root: str) -> None:
    asking = Barrier(4)

    def ask(_: int) -> str:
        asking.wait()
        return given_identity(bucket_root, "pairs")

    assert identity(bucket_root, "pairs") is None
    with ThreadPoolExecutor(4) as threads:
        given = set(threads.map(ask, range(4)))
    assert given == {identity(bucket_root, "pairs")}
