from __future__ import annotations

import random

import pyarrow as pa
import pytest

from rolesynth_assets.store.lance.schemas import IMAGES, PAIRS
from rolesynth_assets.store.lance.store import Store

A = {"shard": "s0", "role_set": "A"}
B = {"shard": "s0", "role_set": "B"}


def files(store: Store, spec) -> int:
    dataset = store._files.open(spec)
    return 0 if dataset is None else len(dataset.get_fragments())


@pytest.fixture
def small_folds(monkeypatch) -> None:
    monkeypatch.setattr("rolesynth_assets.store.lance.maintenance.compaction.FOLD_FILES", 8)
    monkeypatch.setattr("rolesynth_assets.store.lance.maintenance.compaction.FOLD_ROWS", 16)


@pytest.mark.usefixtures("small_folds")
def test_micro_batches_are_folded_as_they_come(store: Store, pair_rows) -> None:
    ids = [f"k{n:03}" for n in range(160)]
    most = 0
    for start in range(0, 160, 2):
        store.append("pairs", A, pair_rows(ids[start : start + 2]))
        store.fold("pairs")
        most = max(most, files(store, PAIRS) - start // 16)  # beside those that are full
    assert most <= 8
    assert files(store, PAIRS) <= 160 // 16 + 8
    store.append("pairs", A, pair_rows(ids[:5]))  # a repeat is still a repeat after folding
    assert store.count("pairs", A) == 160
    assert store.keys("pairs", A) == set(ids)


@pytest.mark.usefixtures("small_folds")
def test_image_bytes_are_not_copied_by_folding(store: Store) -> None:
    for n in range(12):
        row = {field.name: [f"{n}"] for field in IMAGES.schema if field.name != "shard"}
        numbers = {name: [n] for name in ("width", "height", "bytes", "ordinal")}
        store.append("images", {"shard": "s"}, pa.table({**row, **numbers, "data": [b"png"]}))
        store.fold("images")
    assert files(store, IMAGES) == 12


def test_compact_leaves_one_file_and_the_same_content(store: Store, pair_rows) -> None:
    for n in range(6):
        store.append("pairs", A, pair_rows([f"k{n}"]))
    digest, version = store.digest("pairs", A), store.version("pairs")
    store.compact("pairs")
    assert files(store, PAIRS) == 1
    assert store.digest("pairs", A) == store.digest("pairs", A, version=version) == digest
    store.append("pairs", B, pair_rows(["k1", "k7"]))  # not in the index yet
    assert store.plan("pairs", A, ["k7", "k1"]).reuse["caption_id"].to_pylist() == ["k7"]
    store.compact("pairs")
    assert store.keys("pairs", B) == {"k1", "k7"}


@pytest.mark.usefixtures("small_folds")
def test_any_sequence_of_writes_by_two_stores_equals_a_dictionary(tmp_path, pair_rows) -> None:
    """Two `Store` objects stand for two processes: each must notice what the other wrote."""
    stores, dice = [Store(tmp_path), Store(tmp_path)], random.Random(7)
    truth: dict[tuple[str, str], str] = {}
    for turn in range(120):
        store, role_set = dice.choice(stores), dice.choice("AB")
        partition = {"shard": "s0", "role_set": role_set}
        ids = dice.sample([f"k{n}" for n in range(30)], dice.randint(1, 4))
        action = dice.choices(["append", "replace", "prune", "compact"], [80, 8, 8, 4])[0]
        if action in ("replace", "prune"):
            gone = [at for at in truth if at[0] == role_set]
            keep = ids if action == "prune" else []
            for at in gone:
                if at[1] not in keep:
                    del truth[at]
        if action in ("append", "replace"):
            truth |= {(role_set, key): f"{turn} {key}" for key in ids}
            getattr(store, action)("pairs", partition, pair_rows(ids, text=str(turn)))
        elif action == "prune":
            store.prune("pairs", partition, ids)
        else:
            store.compact("pairs")
        rows = dice.choice(stores).read("pairs", columns=["role_set", "caption_id", "text"])
        found = list(zip(*rows.to_pydict().values(), strict=True))
        assert sorted(found) == sorted((*at, text) for at, text in truth.items()), (turn, action)


@pytest.mark.usefixtures("small_folds")
def test_folding_that_fails_loses_nothing(store: Store, pair_rows, monkeypatch, caplog) -> None:
    def conflict(*_: object) -> None:
        raise OSError("Retryable commit conflict for version 12")

    monkeypatch.setattr(
        "rolesynth_assets.store.lance.maintenance.upkeep.fold_small_files", conflict
    )
    monkeypatch.setattr("rolesynth_assets.store.lance.maintenance.upkeep.FOLD_PATIENCE_S", 0.0)
    store.append("pairs", A, pair_rows(["k1"]))
    store.fold("pairs")
    assert store.keys("pairs", A) == {"k1"}
    assert "its small files are not merged yet (Table 'pairs': others have" in caplog.text


@pytest.mark.usefixtures("small_folds")
def test_an_append_is_one_commit(store: Store, pair_rows) -> None:
    for n in range(20):
        store.append("pairs", A, pair_rows([f"k{n}"]))
    assert (store.version("pairs"), files(store, PAIRS)) == (20, 20)
