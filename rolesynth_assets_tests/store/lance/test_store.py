from __future__ import annotations

import random
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolesynth_assets.store.errors import (
    EmptyReplaceError,
    MissingRowError,
    MissingVersionError,
    SchemaMismatchError,
    StoreError,
)
from rolesynth_assets.store.lance.schemas import IMAGES, PAIRS, TABLES
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.property_profiles import examples

_TONE = pa.field("tone", pa.string(), nullable=False)
A = {"shard": "s0", "role_set": "A"}
B = {"shard": "s0", "role_set": "B"}


def texts(store: Store, partition: dict[str, str], **how) -> dict[str, str]:
    rows = store.read("pairs", partition, ["caption_id", "text"], **how)
    assert len(set(rows["caption_id"].to_pylist())) == rows.num_rows, "a key stands twice"
    return dict(zip(rows["caption_id"].to_pylist(), rows["text"].to_pylist(), strict=True))


def test_a_micro_batch_appended_twice_leaves_no_duplicate(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    once = store.digest("pairs", A)
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    assert store.count("pairs", A) == 2
    assert store.digest("pairs", A) == once
    store.append("pairs", A, pair_rows(["k2", "k3"], text="new"))
    assert texts(store, A) == {"k1": "a red cube k1", "k2": "new k2", "k3": "new k3"}


def test_appending_nothing_commits_nothing(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows([]))
    assert store.version("pairs") == 0
    store.append("pairs", A, pair_rows(["k1"]))
    version = store.version("pairs")
    store.append("pairs", A, pair_rows([]))
    assert store.version("pairs") == version


def test_a_caption_may_stand_in_two_partitions(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2"], text="in A"))
    store.append("pairs", B, pair_rows(["k1"], text="in B"))
    store.append("pairs", A, pair_rows(["k1"], text="again in A"))
    assert texts(store, A) == {"k1": "again in A k1", "k2": "in A k2"}
    assert texts(store, B) == {"k1": "in B k1"}
    store.compact("pairs")  # indices must not change what "the same row" means
    store.append("pairs", B, pair_rows(["k1", "k2"], text="new in B"))
    assert texts(store, A) == {"k1": "again in A k1", "k2": "in A k2"}
    assert texts(store, B) == {"k1": "new in B k1", "k2": "new in B k2"}
    assert store.count("pairs") == 4
    assert store.count("pairs", {"shard": "s0"}, where="text LIKE 'new%'") == 2


def test_replace_is_one_commit_and_leaves_other_partitions_alone(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2", "k3"], text="old"))
    store.append("pairs", B, pair_rows(["k1", "k9"], text="B"))
    before, other = store.version("pairs"), store.digest("pairs", B)
    store.replace("pairs", A, pair_rows(["k2", "k4"], text="new"))
    assert store.version("pairs") == before + 1  # no version between old and new to be read
    assert texts(store, A) == {"k2": "new k2", "k4": "new k4"}
    assert texts(store, A, version=before) == {k: f"old {k}" for k in ("k1", "k2", "k3")}
    assert store.digest("pairs", B) == other


def test_replace_by_the_same_commits_nothing(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    version = store.version("pairs")
    store.replace("pairs", A, pair_rows(["k2", "k1"]))
    assert store.version("pairs") == version
    scored = pair_rows(["k1", "k2"]).set_column(5, "score", pa.array([50, None], pa.int32()))
    store.replace("pairs", A, scored)  # a score is no content, but the stored row is another
    assert store.version("pairs") == version + 1
    assert sorted(store.read("pairs", A, ["score"])["score"].to_pylist(), key=str) == [50, None]
    store.replace("pairs", A, scored)  # null is equal to null
    assert store.version("pairs") == version + 1


@pytest.mark.parametrize("gone", [0, 1, 700])  # 700 keys are more than one lookup takes
def test_replace_leaves_the_new_rows_in_one_commit(store, pair_rows, gone: int) -> None:
    ids = [f"k{n}" for n in range(1000)]
    store.append("pairs", A, pair_rows(ids))
    store.append("pairs", B, pair_rows(ids))
    before = store.version("pairs")
    changed = pair_rows(ids[gone:995])
    fresh = pa.concat_tables([changed, pair_rows([*ids[995:], "k1000"], text="new")])
    store.replace("pairs", A, fresh)
    assert store.version("pairs") == before + 1
    expected = {k: f"a red cube {k}" for k in ids[gone:995]}
    assert texts(store, A) == expected | {k: f"new {k}" for k in [*ids[995:], "k1000"]}
    assert store.keys("pairs", B) == set(ids)


def test_replace_by_nothing_must_be_meant(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    store.append("pairs", B, pair_rows(["k1"]))
    with pytest.raises(EmptyReplaceError, match=r"delete its 2 rows"):
        store.replace("pairs", A, pair_rows([]))
    assert store.count("pairs", A) == 2
    store.replace("pairs", A, pair_rows([]), allow_empty=True)
    assert store.count("pairs", A) == 0
    assert store.count("pairs", B) == 1


def test_prune_stays_within_its_partition(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2", "k3"]))
    store.append("pairs", B, pair_rows(["k1", "k2", "k3"]))
    assert store.prune("pairs", A, keep=["k2", "never made"]) == 2
    assert store.keys("pairs", A) == {"k2"}
    assert store.keys("pairs", B) == {"k1", "k2", "k3"}
    version = store.version("pairs")
    assert store.prune("pairs", A, keep=["k2"]) == 0
    assert store.version("pairs") == version
    assert store.prune("pairs", A, keep=[]) == 1
    store.compact("pairs")
    assert store.prune("pairs", B, keep=["k3"]) == 2
    assert store.keys("pairs") == {"k3"}


def test_plan_keeps_what_is_there_copies_what_is_elsewhere_and_makes_the_rest(
    store, pair_rows
) -> None:
    store.append("pairs", A, pair_rows(["k1", "old"]))
    store.append("pairs", B, pair_rows(["k2", "k3", "k1"], text="B"))
    store.append("pairs", {"shard": "s1", "role_set": "B"}, pair_rows(["k3", "k4"], text="s1"))
    plan = store.plan("pairs", A, ["k5", "k4", "k1", "k3", "k5"])
    assert plan.missing == ("k5",)
    assert plan.unwanted == ("old",)
    assert plan.present == 1
    assert plan.reuse.schema == PAIRS.schema
    assert set(plan.reuse["role_set"].to_pylist()) == {"A"}
    reused = dict(
        zip(plan.reuse["caption_id"].to_pylist(), plan.reuse["text"].to_pylist(), strict=True)
    )
    assert reused == {"k3": "B k3", "k4": "s1 k4"}  # k3 from the partition that sorts first
    store.append("pairs", A, plan.reuse)
    store.append("pairs", A, pair_rows(plan.missing))
    store.prune("pairs", A, ["k5", "k4", "k1", "k3"])
    done = store.plan("pairs", A, ["k5", "k4", "k1", "k3"])
    assert (done.missing, done.reuse.num_rows, done.unwanted) == ((), 0, ())
    assert texts(store, B) == {"k2": "B k2", "k3": "B k3", "k1": "B k1"}


def test_plan_of_rows_to_retry(store, pair_rows) -> None:
    failed = pair_rows(["k1", "k2"]).append_column("reason", pa.array(["timeout", "refused"]))
    store.append("pairs", A, failed)
    store.append("pairs", A, pair_rows(["k3"]))  # its reason is null
    retry = "reason IN ('timeout')"
    plan = store.plan("pairs", A, ["k1", "k2", "k3"], retry=retry)
    assert (plan.missing, plan.present, plan.unwanted) == (("k1",), 2, ())
    elsewhere = store.plan("pairs", B, ["k1", "k2", "k3"], retry=retry)
    assert elsewhere.missing == ("k1",)  # a failure is not worth copying
    assert sorted(elsewhere.reuse["caption_id"].to_pylist()) == ["k2", "k3"]
    store.append("pairs", B, pair_rows(["k1"], text="better"))
    assert store.plan("pairs", A, ["k1"], retry=retry).reuse["text"].to_pylist() == ["better k1"]


def test_plan_before_the_first_write(store) -> None:
    plan = store.plan("pairs", A, ["b", "a", "b"])
    assert (plan.missing, plan.unwanted, plan.present) == (("b", "a"), (), 0)
    assert plan.reuse.num_rows == 0


def test_reused_rows_beyond_one_lookup(store, pair_rows, monkeypatch) -> None:
    monkeypatch.setattr("rolesynth_assets.store.lance.writing.plans.ROWS_PER_LOOKUP", 7)
    ids = [f"k{n:03}" for n in range(50)]
    store.append("pairs", B, pair_rows(ids))
    plan = store.plan("pairs", A, ids[5:40])
    assert sorted(plan.reuse["caption_id"].to_pylist()) == ids[5:40]
    assert plan.missing == ()


@settings(
    examples(15),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.text("'\"\\`-%;\n é(", min_size=1, max_size=8),
    keys=st.sets(st.text("'\"\\`-%;\n é(k", min_size=1, max_size=6), min_size=2, max_size=4),
)
def test_names_with_quotes_are_just_names(tmp_path_factory, pair_rows, name, keys) -> None:
    store = Store(tmp_path_factory.mktemp("quotes"))
    here, there = {"shard": name, "role_set": "it's"}, {"shard": name + "'", "role_set": "it's"}
    ids = sorted(keys)
    store.append("pairs", here, pair_rows(ids))
    store.append("pairs", there, pair_rows(ids))
    store.append("pairs", here, pair_rows(ids))
    assert store.keys("pairs", here) == keys
    assert store.plan("pairs", here, ids[1:]).unwanted == (ids[0],)
    assert store.prune("pairs", here, ids[1:]) == 1
    store.replace("pairs", there, pair_rows(ids[:1]))
    assert store.keys("pairs", here) == keys - {ids[0]}
    assert store.keys("pairs", there) == {ids[0]}


def test_the_digest_is_of_content_not_of_how_it_was_written(tmp_path, pair_rows) -> None:
    ids = [f"k{n}" for n in range(12)]
    whole, pieces = Store(tmp_path / "whole"), Store(tmp_path / "pieces")
    whole.replace("pairs", A, pair_rows(ids))
    for key in reversed(ids):
        rows = pair_rows([key]).set_column(5, "score", pa.array([7], pa.int32()))
        pieces.append("pairs", A, rows)  # a score is not part of a pair's content
    pieces.append("pairs", A, pair_rows(["gone"]))
    pieces.prune("pairs", A, ids)
    pieces.compact("pairs")
    assert whole.digest("pairs", A) == pieces.digest("pairs", A)
    pieces.append("pairs", A, pair_rows(["k3"], text="changed"))
    assert whole.digest("pairs", A) != pieces.digest("pairs", A)


def test_a_missing_table_is_empty_and_has_its_schema(store) -> None:
    assert store.read("pairs", A).schema == PAIRS.schema
    assert store.read("images", columns=["image_id"]).schema.names == ["image_id"]
    assert store.count("pairs") == store.version("pairs") == 0
    assert store.keys("pairs", A) == set()
    assert store.prune("pairs", A, []) == 0
    store.compact("pairs")
    assert store.version("pairs") == 0
    assert store.digest("pairs", A) == store.digest("pairs", A, version=0)


def test_versions_stay_readable(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    pinned, digest = store.version("pairs"), store.digest("pairs", A)
    store.append("pairs", A, pair_rows(["k3"]))
    store.prune("pairs", A, ["k3"])
    store.compact("pairs")
    assert store.version("pairs") > pinned
    assert store.digest("pairs", A, version=pinned) == digest
    assert set(texts(store, A, version=pinned)) == {"k1", "k2"}
    assert store.count("pairs", A, version=pinned) == 2
    assert store.read("pairs", version=0).num_rows == 0
    with pytest.raises(MissingVersionError, match=r"'pairs' has no version 99; the newest is \d"):
        store.read("pairs", version=99)
    with pytest.raises(MissingVersionError, match="'images' has no version 1; the newest is 0"):
        store.count("images", version=1)


def test_a_table_written_by_other_code_is_named(store, pair_rows, monkeypatch) -> None:
    store.append("pairs", A, pair_rows(["k1"]))
    at = PAIRS.schema.get_field_index("score")
    for schema, message in (
        (PAIRS.schema.set(at, pa.field("score", pa.float32())), "'score': is int32 on disk but fl"),
        (PAIRS.schema.append(_TONE), "'tone': is missing on disk but str"),
    ):
        monkeypatch.setitem(TABLES, "pairs", replace(PAIRS, schema=schema))
        with pytest.raises(SchemaMismatchError, match=f"'pairs', column {message}"):
            store.read("pairs", A)


def test_a_damaged_table_is_not_an_empty_one(store, pair_rows, tmp_path) -> None:
    store.append("pairs", A, pair_rows(["k1"]))
    for file in (tmp_path / "lance" / "pairs.lance" / "_versions").iterdir():
        file.write_bytes(b"not a manifest")
    with pytest.raises((ValueError, OSError)):
        store.read("pairs", A)


def test_unknown_columns_are_named(store, pair_rows) -> None:
    store.append("pairs", A, pair_rows(["k1"]))
    with pytest.raises(StoreError, match="'pairs' has no column colour"):
        store.read("pairs", A, ["caption_id", "colour"])
    with pytest.raises(StoreError, match="not by length"):
        store.read("pairs", {"length": "long"})
    with pytest.raises(KeyError, match="No table 'captionz'"):
        store.read("captionz")


def image_data(key: str, size: int) -> bytes:
    return random.Random(key).randbytes(size)  # as incompressible as an encoded image


def image_rows(count: int, size: int = 1000) -> pa.Table:
    ids = [f"i{n}" for n in range(count)]
    return pa.table(
        {
            "image_id": ids,
            "source": [f"{key}.png" for key in ids],
            "media_type": ["image/png"] * count,
            "width": [32] * count,
            "height": [32] * count,
            "bytes": [size] * count,
            "data": [image_data(key, size) for key in ids],
            "ordinal": list(range(count)),
        }
    )


def test_image_bytes(store, monkeypatch) -> None:
    monkeypatch.setattr("rolesynth_assets.store.lance.reader.KEYS_PER_LOOKUP", 4)
    store.append("images", {"shard": "s0"}, image_rows(10))
    found = store.image_bytes([f"i{n}" for n in range(9)], "s0")
    assert len(found) == 9
    assert all(data == image_data(key, 1000) for key, data in found.items())
    assert store.image_bytes([], "s0") == {}
    with pytest.raises(MissingRowError, match=r"shard 's1': 1 of 1 images .* i3"):
        store.image_bytes(["i3"], "s1")


def test_columns_left_out_are_not_loaded(store, monkeypatch) -> None:
    store.append("images", {"shard": "s0"}, image_rows(64, size=100_000))
    dataset = store._files.open(IMAGES)
    monkeypatch.setattr(store._files, "open", lambda spec, version=None: dataset)

    def bytes_read(work) -> int:
        dataset.io_stats_incremental()  # resets the counter
        work()
        return dataset.io_stats_incremental().read_bytes

    everything = bytes_read(lambda: store.read("images", {"shard": "s0"}))
    assert everything > 64 * 100_000
    light = ["image_id", "width", "source"]
    assert bytes_read(lambda: store.read("images", {"shard": "s0"}, light)) < 100_000
    assert bytes_read(lambda: store.digest("images", {"shard": "s0"})) < 100_000
    assert bytes_read(lambda: store.plan("images", {"shard": "s0"}, ["i1"])) < 100_000
    assert bytes_read(lambda: store.image_bytes(["i7"], "s0")) < 1_000_000


def test_batches_stream_the_same_rows(store) -> None:
    store.append("images", {"shard": "s0"}, image_rows(50))
    batches = list(store.batches("images", {"shard": "s0"}, ["image_id", "data"], batch_rows=16))
    assert max(batch.num_rows for batch in batches) <= 16
    streamed = pa.Table.from_batches(batches)
    assert streamed.equals(store.read("images", {"shard": "s0"}, ["image_id", "data"]))
    assert streamed.num_rows == 50


def test_the_tables_are_those_of_a_lancedb_database(store, pair_rows, tmp_path) -> None:
    import lancedb

    store.append("pairs", A, pair_rows(["k1", "k2"]))
    store.compact("pairs")
    database = lancedb.connect(tmp_path / "lance")
    assert database.open_table("pairs").count_rows("role_set = 'A'") == 2
    assert "pairs" in database.list_tables().tables
