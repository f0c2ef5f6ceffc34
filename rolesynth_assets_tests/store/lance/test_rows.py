from __future__ import annotations

import pyarrow as pa
import pytest

from rolesynth_assets.store.errors import DuplicateKeyError, SchemaMismatchError, StoreError
from rolesynth_assets.store.lance.rows import (
    all_of,
    checked_rows,
    partition_predicate,
    whole_partition,
)
from rolesynth_assets.store.lance.schemas import PAIRS

HERE = {"shard": "s0", "role_set": "roles5"}


def test_rows_come_out_in_the_schema_of_the_table(pair_rows) -> None:
    rows = pair_rows(["b", "a"])
    rows = rows.set_column(
        rows.column_names.index("score"), "score", pa.array([1, None], pa.int64())
    )
    rows = rows.set_column(
        rows.column_names.index("text"), "text", rows["text"].cast(pa.large_string())
    )
    checked = checked_rows(PAIRS, HERE, rows)
    assert checked.schema == PAIRS.schema
    assert checked["shard"].to_pylist() == ["s0", "s0"]
    assert checked["score"].to_pylist() == [1, None]
    assert checked["reason"].null_count == 2  # nullable columns may be left out


def replaced(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, values)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r.drop_columns("text"), "'pairs', column 'text': missing"),
        (lambda r: r.append_column("colour", r["text"]), "'pairs' has no column colour"),
        (
            lambda r: replaced(r, "score", pa.array(["50", "60"])),
            "'pairs', column 'score': is int32 in the table but string in the rows",
        ),
        (
            lambda r: replaced(r, "score", pa.array([2**40, 1])),
            "'pairs', column 'score': is int32 in the table but int64",
        ),
        (
            lambda r: replaced(r, "score", pa.array([1.0, 2.0])),
            "'pairs', column 'score': is int32 in the table but double",
        ),
        (
            lambda r: replaced(r, "text", pa.array(["x", None])),
            "'pairs', column 'text': 1 rows are null",
        ),
        (
            lambda r: replaced(r, "kept", pa.nulls(2)),
            "'pairs', column 'kept': 2 rows are null",
        ),
    ],
)
def test_a_mismatch_names_table_and_column(pair_rows, spoil, message: str) -> None:
    with pytest.raises(SchemaMismatchError, match=message):
        checked_rows(PAIRS, HERE, spoil(pair_rows(["a", "b"])))


def test_a_key_that_occurs_twice_is_refused(pair_rows) -> None:
    with pytest.raises(DuplicateKeyError, match=r"'pairs'.*caption_id='a' \(3 times\)"):
        checked_rows(PAIRS, HERE, pair_rows(["a", "b", "a", "a"]))


def test_rows_of_another_partition_are_refused(pair_rows) -> None:
    rows = pair_rows(["a", "b"]).append_column("shard", pa.array(["s0", "s1"]))
    with pytest.raises(StoreError, match=r"column 'shard': rows belong to 's1'.*'s0'"):
        checked_rows(PAIRS, HERE, rows)


def test_a_write_names_its_whole_partition() -> None:
    assert list(whole_partition(PAIRS, {"role_set": "r", "shard": "s"})) == ["shard", "role_set"]
    for partition in ({"shard": "s"}, {**HERE, "length": "long"}, {}):
        with pytest.raises(StoreError, match="partitioned by shard, role_set"):
            whole_partition(PAIRS, partition)
    with pytest.raises(StoreError, match="shard=3 is not text"):
        whole_partition(PAIRS, {"shard": 3, "role_set": "r"})  # type: ignore[dict-item]


def test_predicates() -> None:
    assert partition_predicate(PAIRS, None) is None
    assert partition_predicate(PAIRS, {"role_set": "it's"}) == "(role_set = 'it''s')"
    assert all_of("a = 1 OR b = 2", None, "c = 3") == "(a = 1 OR b = 2) AND (c = 3)"
    with pytest.raises(StoreError, match="not by length"):
        partition_predicate(PAIRS, {"length": "long"})
