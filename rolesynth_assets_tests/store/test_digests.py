from __future__ import annotations

import hashlib
import random
import struct

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.store.digests import digest, digest_each, image_id, seed_from, table_digest

CONTENT = ("key", "text", "score", "kept")

rows_strategy = st.lists(
    st.tuples(
        st.text(max_size=6),
        st.one_of(st.none(), st.text(max_size=6)),
        st.one_of(st.none(), st.integers(-5, 5)),
        st.booleans(),
    ),
    max_size=12,
)


def as_table(rows: list[tuple]) -> pa.Table:
    columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
    kinds = [pa.string(), pa.string(), pa.int32(), pa.bool_()]
    return pa.table(
        {name: pa.array(c, k) for name, c, k in zip(CONTENT, columns, kinds, strict=True)}
    )


def slow_digest(rows: list[tuple]) -> str:
    """The layout of `table_digest`, row by row."""
    ordered = sorted(
        rows,
        key=lambda row: [
            (value is None, value.encode() if isinstance(value, str) else (value or 0))
            for value in row
        ],
    )
    out = digest("table", len(rows), *CONTENT).encode()
    for column in range(4):
        values = [row[column] for row in ordered]
        out += bytes(value is not None for value in values)
        if column < 2:
            texts = [(value or "").encode() for value in values]
            out += b"".join(struct.pack("<q", len(text)) for text in texts) + b"".join(texts)
        else:
            out += b"".join(struct.pack("<q", int(value or 0)) for value in values)
    return hashlib.sha256(out).hexdigest()


@given(rows_strategy)
def test_the_vectorised_digest_equals_the_plain_one(rows: list[tuple]) -> None:
    assert table_digest(as_table(rows), CONTENT) == slow_digest(rows)


@given(rows_strategy, st.integers(0, 2**16), st.integers(0, 12))
def test_order_chunks_and_other_columns_do_not_matter(
    rows: list[tuple], shuffle: int, cut: int
) -> None:
    other = rows[:]
    random.Random(shuffle).shuffle(other)
    pieces = pa.concat_tables([as_table(other[:cut]), as_table(other[cut:])])
    pieces = pieces.append_column("latency_s", pa.array([0.1 * n for n in range(len(rows))]))
    pieces = pieces.set_column(1, "text", pieces["text"].cast(pa.large_string()))
    assert table_digest(pieces, CONTENT) == table_digest(as_table(rows), CONTENT)


@given(rows_strategy, rows_strategy)
def test_different_rows_have_different_digests(first: list[tuple], second: list[tuple]) -> None:
    same_rows = sorted(map(repr, first)) == sorted(map(repr, second))
    same_digest = table_digest(as_table(first), CONTENT) == table_digest(as_table(second), CONTENT)
    assert same_digest == same_rows


def test_a_sliced_table_is_digested_within_its_bounds() -> None:
    rows = [(f"k{n}", f"text {n}", n, True) for n in range(20)]
    assert table_digest(as_table(rows).slice(5, 7), CONTENT) == table_digest(
        as_table(rows[5:12]), CONTENT
    )


def test_null_text_is_not_empty_text() -> None:
    assert table_digest(as_table([("k", None, 1, True)]), CONTENT) != table_digest(
        as_table([("k", "", 1, True)]), CONTENT
    )


def test_a_float_column_has_no_digest() -> None:
    with pytest.raises(TypeError, match=r"'latency_s'.*measurements"):
        table_digest(pa.table({"latency_s": [0.5]}), ["latency_s"])


def test_the_digest_is_pinned() -> None:
    # a change here makes every stored partition of every user stale
    assert digest("caption", 1, b"x") == (
        "1b2a95e9cd6ab6aa119f30df952570f817ff0969a5b5d3012dbe64fb3dc4bf2e"
    )
    assert table_digest(as_table([("b", None, 3, False), ("a", "é", None, True)]), CONTENT) == (
        "41aabb652a7a2b4831216e52a857b37ce0fd475b87e2c02d468c493fd9ddaead"
    )


@given(st.lists(st.one_of(st.text(), st.binary(), st.integers()), max_size=4), st.data())
def test_parts_cannot_run_into_each_other(parts: list, data: st.DataObject) -> None:
    other = data.draw(st.lists(st.one_of(st.text(), st.binary(), st.integers()), max_size=4))
    same = [(type(p), p) for p in parts] == [(type(p), p) for p in other]
    assert (digest(*parts) == digest(*other)) == same


def test_parts_are_text_bytes_or_integers() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("1") != digest(1)
    for part in (0.7, True, None):
        with pytest.raises(TypeError, match="spell the value as text"):
            digest(part)  # type: ignore[arg-type]


def test_ids_and_seeds() -> None:
    assert image_id(b"png") == hashlib.sha256(b"png").hexdigest()
    seeds = {seed_from("image", str(n), "long") for n in range(500)}
    assert len(seeds) == 500
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert max(seeds) > 2**30  # the whole range is used


@given(st.lists(st.text(), max_size=5), st.integers(0, 9))
def test_many_digests_are_those_made_one_by_one(texts: list[str], number: int) -> None:
    assert digest_each(("lot", number), texts) == [digest("lot", number, t) for t in texts]
