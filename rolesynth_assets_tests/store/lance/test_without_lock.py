"""Writers that the lock does not keep apart, as after a broken lease, leave each key once."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import lance
import pyarrow as pa
import pytest

from rolesynth_assets.store.lance.schemas import PAIRS, TABLES
from rolesynth_assets.store.lance.store import Store

A = {"shard": "s0", "role_set": "A"}
B = {"shard": "s0", "role_set": "B"}


@pytest.fixture(autouse=True)
def no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolesynth_assets.store.lance.store.writer_lock", lambda *_: nullcontext())


def declared(store: Store) -> set[str]:
    dataset = store._files.open(PAIRS)
    assert dataset is not None
    key = b"lance-schema:unenforced-primary-key"
    return {f.name for f in dataset.schema if f.metadata and f.metadata.get(key) == b"true"}


def test_every_table_declares_what_identifies_a_row() -> None:
    for spec in TABLES.values():
        keyed = {field.name for field in spec.stored_schema if field.metadata}
        assert keyed == {spec.key, *spec.partition_by}
        assert not any(spec.schema.field(name).nullable for name in keyed)


def test_tables_of_before_declare_their_key_at_the_next_write(store: Store, pair_rows) -> None:
    rows = pair_rows(["k1"])
    plain = pa.table(
        {
            f.name: rows[f.name] if f.name in rows.column_names else [A.get(f.name)]
            for f in PAIRS.schema
        },
        schema=PAIRS.schema,
    )
    lance.write_dataset(plain, store._files.uri(PAIRS))
    assert declared(store) == set()
    store.append("pairs", A, pair_rows(["k2"]))
    assert declared(store) == {"caption_id", "shard", "role_set"}
    version = store.version("pairs")
    store.append("pairs", A, pair_rows(["k3"]))
    assert store.version("pairs") == version + 1  # declared once
    assert store.keys("pairs", A) == {"k1", "k2", "k3"}


def overtaken(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store whose next write has opened the table before what is written now."""
    late = Store(store.root)
    stale = late._files.open(PAIRS)
    monkeypatch.setattr(late._files, "open_to_write", lambda _: stale)
    monkeypatch.setattr(late, "keys", lambda *_: {"k0"})
    return late


def test_an_append_that_was_overtaken_repeats_no_key(store, monkeypatch, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k0"]))
    late = overtaken(store, monkeypatch)
    store.append("pairs", A, pair_rows(["k1", "k2"], text="first"))
    store.append("pairs", B, pair_rows(["k1", "k3"], text="another partition"))
    late.append("pairs", A, pair_rows(["k2", "k3"], text="second"))
    rows = store.read("pairs", A, ["caption_id", "text"]).sort_by("caption_id").to_pylist()
    assert [row["text"] for row in rows] == ["a red cube k0", "first k1", "first k2", "second k3"]
    assert store.keys("pairs", B) == {"k1", "k3"}


def test_a_merge_that_was_overtaken_repeats_no_key(store, monkeypatch, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k0"]))
    late = overtaken(store, monkeypatch)
    store.append("pairs", A, pair_rows(["k1", "k2"], text="first"))
    late.append("pairs", A, pair_rows(["k0", "k2", "k3"], text="second"))
    assert store.count("pairs", A) == len(store.keys("pairs", A)) == 4


def test_a_replacement_that_was_overtaken_repeats_no_key(store, monkeypatch, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k0"]))
    late = overtaken(store, monkeypatch)
    store.append("pairs", A, pair_rows(["k1", "k2"], text="first"))
    late.replace("pairs", A, pair_rows(["k0", "k1", "k2"], text="second"))
    assert store.count("pairs", A) == len(store.keys("pairs", A)) == 3


def test_the_first_write_of_all_may_be_overtaken(store, monkeypatch, pair_rows) -> None:
    late = Store(store.root)
    opened = late._files.open_to_write
    answers = [None]
    monkeypatch.setattr(
        late._files, "open_to_write", lambda spec: answers.pop() if answers else opened(spec)
    )
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    late.append("pairs", A, pair_rows(["k2", "k3"]))
    assert store.count("pairs", A) == len(store.keys("pairs", A)) == 3


def test_many_writers_of_the_same_keys(store: Store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k0"]))
    start, failed = threading.Barrier(4), []

    def write() -> None:
        own = Store(store.root)
        start.wait()
        try:
            for first in range(0, 40, 10):
                own.append("pairs", A, pair_rows([f"k{n}" for n in range(first, first + 10)]))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert store.count("pairs", A) == len(store.keys("pairs", A)) == 40
