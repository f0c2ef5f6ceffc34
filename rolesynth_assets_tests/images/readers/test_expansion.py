"""The bound on unpacked bytes and seconds is that of the file, whoever reads it."""

from __future__ import annotations

import os
import zlib
from collections import Counter
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rolesynth_assets.cads.seeds.files import SeedFileError
from rolesynth_assets.cads.seeds.read import SeedReject, read_seeds
from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import ContainerLimits, InputLimits, use_limits
from rolesynth_assets.images.readers import zips
from rolesynth_assets.images.readers.expansion import BombError, Expansion
from rolesynth_assets.images.readers.members import iter_members
from rolesynth_assets.images.readers.parquet_pages import PageGuard
from rolesynth_assets.images.readers.zips import iter_zip
from rolesynth_assets.images.shards.planning import (
    PlanRules,
    UnreadableTableError,
    plan_shards,
)
from rolesynth_assets.r1.benchmarks.definition import R1BenchmarkError
from rolesynth_assets.r1.benchmarks.files import _parquet
from rolesynth_assets_tests.drills.bombs import crossed_members, listed_again, many_groups

PLAIN = {"use_dictionary": False, "compression": "zstd"}


def reasons(path, shard_size: int = 10_000, **limits) -> dict[str, int]:
    container = ContainerLimits(**limits)
    return Counter(
        str(member.data.reason) if isinstance(member.data, Reject) else "read"
        for shard in plan_shards(path, "x", [], PlanRules(shard_size=shard_size))
        for member in iter_members(shard, None, container)
    )


@pytest.fixture
def table(tmp_path):
    def write(*groups: list, kind: pa.DataType | None = None, name: str = "image", **options):
        path = tmp_path / "x.parquet"
        kind = kind or pa.binary()
        with pq.ParquetWriter(path, pa.schema({name: kind}), **options) as writer:
            for cells in groups:
                writer.write_table(pa.table({name: pa.array(cells, kind)}))
        return path

    return write


@pytest.mark.parametrize("shard_size", [10_000, 48, 7])
def test_row_groups_share_the_bound_of_their_file_in_every_shard(table, shard_size):
    path = table(*[[bytes(2**20)] * 48] * 4, [b"last"], **PLAIN)
    got = reasons(path, shard_size)
    assert got["read"] == 49  # the first row group, and the last, which is small
    assert got["archive_bomb"] >= 3


@pytest.mark.parametrize("shard_size", [10_000, 1000])
def test_cells_of_dictionaries_add_up_over_row_groups(table, shard_size):
    path = table(*[[bytes(12 * 1024)] * 1000] * 10, compression="zstd")
    got = reasons(path, shard_size)
    assert got["read"] * 12 * 1024 <= 64 * 2**20
    assert got["archive_bomb"] > 0


@pytest.mark.parametrize("kind", ["bytes", "records"])
def test_a_row_of_many_references_to_one_value_is_a_bomb_before_it_is_unpacked(tmp_path, kind):
    references = pa.array([0] * 2**20, pa.int32())
    cells = pa.DictionaryArray.from_arrays(references, pa.array([bytes(2**20)]))
    if kind == "records":
        paths = pa.array(["p"] * len(cells))
        cells = pa.StructArray.from_arrays([cells, paths], ["bytes", "path"])
    path = tmp_path / "x.parquet"
    table = {
        "images": pa.ListArray.from_arrays(pa.array([0, len(cells)], pa.int32()), cells),
        "problem": ["<image> 1 + 1?"],
    }
    pq.write_table(pa.table(table), path, compression="zstd", store_schema=False)
    assert reasons(path) == {"archive_bomb": 1}  # 2^40 bytes
    (seed,) = read_seeds(path, "d")
    assert isinstance(seed, SeedReject) and "max_expansion" in seed.detail
    with pytest.raises(R1BenchmarkError, match="max_expansion"):
        list(_parquet(path))


def test_lists_with_a_dictionary_are_read(tmp_path):
    path = tmp_path / "x.parquet"
    table = pa.table({"image": [[b"one", b"two"], [b"one"], None, [], [None]]})
    pq.write_table(table, path, use_dictionary=True)
    read = [m.data for shard in plan_shards(path, "x", []) for m in iter_members(shard)]
    assert [d for d in read if isinstance(d, bytes)] == [b"one", b"two", b"one"]
    assert len(read) == 6


def test_lists_of_long_values_of_a_fixed_size_are_refused(tmp_path):
    path = tmp_path / "x.parquet"
    kind = pa.list_(pa.binary(4096))
    pq.write_table(pa.table({"image": pa.array([[bytes(4096)] * 3], kind)}), path)
    with pytest.raises(UnreadableTableError, match="4096 bytes each"):
        plan_shards(path, "x", [])


def test_bytes_that_a_footer_lists_twice_are_refused(tmp_path):
    assert reasons(listed_again(tmp_path, "small")) == {"archive_bomb": 1}


def test_pages_beyond_what_the_footer_states_have_no_floor(table, monkeypatch):
    path = table([bytes(2**20)], **PLAIN)
    with path.open("rb") as file:
        guard = PageGuard(file, ["image"], ContainerLimits())
        guard.check(0)
        [[chunk]] = guard._groups
        monkeypatch.setattr(guard, "_groups", [[replace(chunk, unpacked=10)]])
        with pytest.raises(BombError, match="the footer states 10"):
            guard.check(0)


def test_photographs_in_many_row_groups_pass(tmp_path):
    path = tmp_path / "photos.parquet"
    record = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema({"image": record, "licence": pa.string()})
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for group in range(30):
            rows = [{"bytes": os.urandom(40_000), "path": f"{group % 3}/a.jpg"} for _ in range(90)]
            writer.write_table(pa.table({"image": rows, "licence": ["CC0"] * 90}, schema=schema))
    assert path.stat().st_size > 64 * 2**20
    assert reasons(path) == reasons(path, 1000) == {"read": 2700}
    assert len(list(_parquet(path))) == 2700


def test_reading_a_table_has_an_end_in_seconds(table):
    path = table(*[[b"x"] * 9] * 3)
    assert reasons(path) == {"read": 27}
    assert reasons(path, max_seconds=1e-9) == {"archive_bomb": 3}


@pytest.mark.parametrize("encoding", ["plain", "dictionary"])
def test_seeds_and_benchmarks_have_the_same_bound(table, encoding):
    options = PLAIN if encoding == "plain" else {"compression": "zstd"}
    text = "How many? " * 1_200
    path = table(*[[text] * 1500] * 5, kind=pa.string(), name="problem", **options)
    rows = list(read_seeds(path, "maths"))
    last = rows[-1]
    assert isinstance(last, SeedReject) and "limits.container.max_expansion" in last.detail
    assert len(rows) < 7_500
    with pytest.raises(R1BenchmarkError, match=r"limits\.container\.max_expansion"):
        list(_parquet(path))


def test_seeds_and_benchmarks_refuse_bytes_listed_twice_and_have_an_end(tmp_path, table):
    twice = listed_again(tmp_path, "small", "problem")
    with pytest.raises(SeedFileError, match="twice"):
        list(read_seeds(twice, "maths"))
    with pytest.raises(R1BenchmarkError, match="twice"):
        list(_parquet(twice))
    path = table(["How many?"], kind=pa.string(), name="problem")
    try:
        use_limits(InputLimits(container=ContainerLimits(max_seconds=1e-9)))
        [row] = read_seeds(path, "maths")
        assert isinstance(row, SeedReject) and "max_seconds" in row.detail
        with pytest.raises(R1BenchmarkError, match="max_seconds"):
            list(_parquet(path))
    finally:
        use_limits(InputLimits())


def test_the_drill_of_many_row_groups_is_a_bomb(tmp_path):
    assert reasons(many_groups(tmp_path, "small"))["archive_bomb"] > 0


def test_a_bound_counts_the_time_of_the_reader_alone():
    spent = Expansion(10, ContainerLimits(max_seconds=1e-9))
    with pytest.raises(BombError, match="max_seconds"):
        list(spent.each([1]))
    spent = Expansion(10, ContainerLimits())
    assert list(spent.each([1, None, 2])) == [1, None, 2]
    spent.add(64 * 2**20)
    with pytest.raises(BombError, match="10 bytes unpack to"):
        spent.add(1)


def zip_reasons(path, **limits) -> list[str]:
    members = iter_zip(str(path), 64 * 2**20, ContainerLimits(**limits))
    return [str(m.data.reason) if isinstance(m.data, Reject) else "read" for m in members]


def test_members_of_a_zip_that_share_bytes_are_refused(tmp_path, monkeypatch):
    unpacked: list[int] = []
    counted = zips._counted
    monkeypatch.setattr(
        zips, "_counted", lambda m, size, s: unpacked.append(size) or counted(m, size, s)
    )
    path = crossed_members(tmp_path, "small")
    assert zip_reasons(path) == [*["archive_bomb"] * 24, "broken_archive"]
    assert sum(unpacked) < 64 * 2**20  # one member was unpacked


def test_a_member_that_reaches_into_the_next_is_refused_alone(tmp_path):
    import zipfile

    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.png", "b.png", "c.png"):
            archive.writestr(name, b"x" * 50)
    raw = bytearray(path.read_bytes())
    first = raw.index(b"PK\1\2")
    raw[first + 20 : first + 24] = (90).to_bytes(4, "little")  # packed size
    path.write_bytes(raw)
    assert zip_reasons(path) == ["archive_bomb", "read", "read"]


def test_members_that_end_as_rejects_count(tmp_path):
    import zipfile

    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            archive.writestr(f"{number}.png", bytes(30 * 2**20))
    good = zlib.crc32(bytes(30 * 2**20)).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(good, b"\1\2\3\4"))
    assert zip_reasons(path) == ["broken_archive", "broken_archive", "archive_bomb"]
    too_large = iter_zip(str(path), 2**20, ContainerLimits())
    assert {str(m.data.reason) for m in too_large if isinstance(m.data, Reject)} == {
        "too_many_bytes"
    }
    assert zip_reasons(path, max_seconds=1e-9) == ["archive_bomb"]
