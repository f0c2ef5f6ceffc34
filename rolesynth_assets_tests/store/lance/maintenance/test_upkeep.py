"""Upkeep: what is due, that it is done, and that readers and writers do not notice it."""

from __future__ import annotations

import threading
from datetime import timedelta

import pyarrow as pa
import pytest

from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.lance.maintenance import compaction, indexes, state, versions
from rolesynth_assets.store.lance.schemas import IMAGES, PAIRS, TABLES
from rolesynth_assets.store.lance.store import Store

A = {"shard": "s0", "role_set": "A"}
B = {"shard": "s0", "role_set": "B"}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "FOLD_FILES", 8)
    monkeypatch.setattr(compaction, "FILE_ROWS", 32)
    monkeypatch.setattr(compaction, "STEP_ROWS", 64)
    monkeypatch.setattr(indexes, "UNINDEXED_ROWS", 50)
    monkeypatch.setattr(state, "SPARE_VERSIONS", 10)
    monkeypatch.setattr(state, "DELETED_ROWS", 10)
    monkeypatch.setattr(versions, "READ_TIME", timedelta(0))


def files(store: Store, spec) -> list[int]:
    dataset = store._files.open(spec)
    assert dataset is not None
    return [fragment.physical_rows for fragment in dataset.get_fragments()]


def fill(store: Store, pair_rows, count: int, size: int = 4, partition=A) -> set[str]:
    ids = [f"k{n:03}" for n in range(count)]
    for start in range(0, count, size):
        store.append("pairs", partition, pair_rows(ids[start : start + size]))
    return set(ids)


def image_row(name: str, size: int) -> pa.Table:
    texts = {key: [name] for key in ("image_id", "source", "media_type")}
    numbers = {key: [1] for key in ("width", "height", "bytes", "ordinal")}
    return pa.table({**texts, **numbers, "data": [name.encode() * size]})


def test_nothing_is_due_of_a_small_table(store: Store, pair_rows) -> None:
    assert store.state("pairs") is None
    assert store.maintain("pairs") is None
    fill(store, pair_rows, 24)
    before = store.version("pairs")
    found = store.maintain("pairs")
    assert found is not None and not found.due
    assert (found.rows, found.files, found.versions) == (24, 6, 6)
    assert store.version("pairs") == before == len(store.versions("pairs"))


def test_what_is_due_is_done_once(store: Store, pair_rows) -> None:
    ids = fill(store, pair_rows, 160)
    store.remove("pairs", "caption_id = 'k007'")
    digest, first = store.digest("pairs", A), store.digest("pairs", A, version=3)
    store.keep_version("pairs", 3)
    before = store.maintain("pairs")
    assert before is not None
    assert before.due == ["compact", "index", "remove versions"]
    assert (before.deleted_rows, before.small_files, before.pinned) == (1, 40, 1)
    after = store.state("pairs")
    assert after is not None and not after.due
    assert max(files(store, PAIRS)) >= 32 and len(files(store, PAIRS)) <= 5
    assert after.indexed == ("caption_id", "image_id", "role_set", "shard")
    assert after.unindexed_rows == 0
    assert store.versions("pairs")[-1] == 3
    assert after.disk_bytes < before.disk_bytes
    assert store.digest("pairs", A) == digest
    assert store.digest("pairs", A, version=3) == first
    assert store.keys("pairs", A) == ids - {"k007"}
    with pytest.raises(MissingVersionError, match="no version 5"):
        store.read("pairs", version=5)
    version = store.version("pairs")
    store.maintain("pairs")
    assert store.version("pairs") == version


def test_an_index_is_extended_when_many_rows_lack_it(store: Store, pair_rows) -> None:
    fill(store, pair_rows, 60, size=30)
    store.maintain("pairs")
    fill(store, pair_rows, 40, size=20, partition=B)
    found = store.maintain("pairs")
    assert found is not None and found.unindexed_rows == 40 and not found.due
    fill(store, pair_rows, 60, size=20, partition=B)
    found = store.maintain("pairs")
    assert found is not None and "index" in found.due
    left = store.state("pairs")
    assert left is not None and left.unindexed_rows == 0
    assert store.count("pairs", where="caption_id = 'k059'") == 2


def test_a_reader_has_an_hour(store: Store, pair_rows, monkeypatch) -> None:
    monkeypatch.setattr(versions, "READ_TIME", timedelta(hours=1))
    fill(store, pair_rows, 160)
    before = store.maintain("pairs")
    assert before is not None and before.superseded == 0
    assert store.count("pairs", version=5) == 20


def test_files_of_images_are_merged_by_their_size(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(compaction, "SMALL_BYTES", 50_000)
    monkeypatch.setattr(compaction, "FILE_BYTES", 400_000)
    for n in range(12):
        store.append("images", {"shard": "s0"}, image_row(f"big {n}", 20_000))
        store.append("images", {"shard": "s0"}, image_row(f"small {n}", 10))
    found = store.maintain("images")
    assert found is not None and found.small_files == 0  # they are no neighbours
    for n in range(9):
        store.append("images", {"shard": "s0"}, image_row(f"more {n}", 10))
    found = store.maintain("images")
    assert found is not None and found.small_files == 10 and "compact" in found.due
    assert files(store, IMAGES)[:23] == [1] * 23
    assert files(store, IMAGES)[23:] == [10]
    assert store.image_bytes(["more 3", "big 11"], "s0")["more 3"] == b"more 3" * 10


def test_a_large_file_with_many_deleted_rows_is_written_anew(store: Store, pair_rows) -> None:
    fill(store, pair_rows, 64, size=64)
    fill(store, pair_rows, 32, partition=B)
    store.remove("pairs", "shard = 's0' AND caption_id < 'k030'")
    store.maintain("pairs")
    left = store.state("pairs")
    assert left is not None and left.deleted_rows == 0


def test_readers_and_writers_are_unharmed(store: Store, pair_rows) -> None:
    fill(store, pair_rows, 40)
    ids = [f"w{n:03}" for n in range(240)]
    failed: list[BaseException] = []
    done = threading.Event()

    def guarded(work) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def write(first: int) -> None:
        own = Store(store.root)
        for start in range(first, first + 120, 4):
            own.append("pairs", B, pair_rows(ids[start : start + 4]))

    def change() -> None:
        own = Store(store.root)
        for turn in range(12):
            own.replace("pairs", A, pair_rows([f"k{n:03}" for n in range(turn, turn + 40)]))

    def read() -> None:
        own, seen = Store(store.root), 0
        while not done.is_set():
            rows = own.read("pairs", B, ["caption_id", "text"])
            assert len(set(rows["caption_id"].to_pylist())) == rows.num_rows >= seen
            assert own.count("pairs", A) == 40
            seen = rows.num_rows

    writers = [guarded(lambda: write(0)), guarded(lambda: write(120)), guarded(change)]
    reader = guarded(read)
    while any(thread.is_alive() for thread in writers):
        store.maintain("pairs")
    done.set()
    for thread in (*writers, reader):
        thread.join()
    assert not failed
    assert store.keys("pairs", B) == set(ids)
    assert store.count("pairs", B) == 240
    assert store.keys("pairs", A) == {f"k{n:03}" for n in range(11, 51)}


def test_every_table_has_its_ids_indexed() -> None:
    kinds = {name: indexes.indexed_columns(spec) for name, spec in TABLES.items()}
    assert kinds["captions"] == {
        "caption_id": "BTREE",
        "image_id": "BTREE",
        "role_fingerprint": "BITMAP",
        "shard": "BITMAP",
        "role_set": "BITMAP",
    }
    assert kinds["seeds"] == {"seed_id": "BTREE", "domain": "BITMAP"}  # its image ids are joined
    assert kinds["roles"]["role_fingerprint"] == "BTREE"
