"""Rows that users paid for before a table got a column are read, kept and added to."""

from dataclasses import replace

import pyarrow as pa
import pytest

from rolesynth_assets.store.lance.schemas import PAIRS, TABLES
from rolesynth_assets.store.lance.store import Store

A = {"shard": "s0", "role_set": "A"}
B = {"shard": "s0", "role_set": "B"}


@pytest.fixture
def older(store, pair_rows, monkeypatch) -> Store:
    """Return a store with two rows of a table that had fewer columns, and required one more."""
    required = PAIRS.schema.set(
        PAIRS.schema.get_field_index("score"), pa.field("score", pa.int32(), nullable=False)
    )
    monkeypatch.setitem(TABLES, "pairs", replace(PAIRS, schema=required))
    store.append("pairs", A, pair_rows(["k1", "k2"]))
    newer = PAIRS.schema.append(pa.field("tone", pa.string()))
    monkeypatch.setitem(TABLES, "pairs", replace(PAIRS, schema=newer))
    return store


def tones(store: Store, partition: dict[str, str], **how) -> dict[str, str | None]:
    rows = store.read("pairs", partition, ["caption_id", "tone"], **how).to_pylist()
    return {row["caption_id"]: row["tone"] for row in rows}


def loud(rows: pa.Table, tone: str | None) -> pa.Table:
    tones = pa.array([tone] * rows.num_rows, pa.string())
    silent = rows.set_column(
        rows.schema.get_field_index("score"), "score", pa.nulls(rows.num_rows, pa.int32())
    )
    return silent.append_column("tone", tones)


def test_rows_stored_before_are_read_with_null_and_without_a_write(older: Store) -> None:
    assert tones(older, A) == {"k1": None, "k2": None}
    assert older.version("pairs") == 1


def test_new_rows_join_them_and_earlier_versions_stay_readable(older: Store, pair_rows) -> None:
    digest = older.digest("pairs", A)
    older.append("pairs", B, loud(pair_rows(["k1"]), "loud"))
    older.append("pairs", A, loud(pair_rows(["k2", "k3"]), "loud"))
    assert tones(older, A) == {"k1": None, "k2": "loud", "k3": "loud"}
    assert tones(older, A, version=1) == {"k1": None, "k2": None}
    assert older.digest("pairs", A, version=1) == digest
    older.replace("pairs", B, loud(pair_rows(["k9"]), None))
    older.compact("pairs")
    assert tones(older, B) == {"k9": None}
    scores = older.read("pairs", A, ["caption_id", "score"]).to_pylist()
    assert [row["score"] is None for row in scores if row["caption_id"] != "k1"] == [True, True]


def test_a_plan_copies_rows_stored_before(older: Store) -> None:
    plan = older.plan("pairs", B, ["k1", "k2"])
    assert plan.reuse["tone"].to_pylist() == [None, None]
    older.append("pairs", B, plan.reuse)
    assert older.plan("pairs", B, ["k1", "k2"]).present == 2
