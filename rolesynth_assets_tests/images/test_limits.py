"""Each limit refuses what is over it and passes what is at it."""

from __future__ import annotations

import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind
from rolesynth_assets.images.limits import ContainerLimits, DecodeLimits
from rolesynth_assets.images.readers import parquet_pages
from rolesynth_assets.images.readers.members import iter_members
from rolesynth_assets.images.readers.parquet_pages import _pages
from rolesynth_assets.images.readers.tars import iter_tar
from rolesynth_assets.images.shards.planning import PlanRules, UnreadableTableError, plan_shards


def reasons(members) -> list[RejectReason | None]:
    return [m.data.reason if isinstance(m.data, Reject) else None for m in members]


@pytest.mark.parametrize(("limit", "last"), [(2, RejectReason.TOO_MANY_MEMBERS), (3, None)])
def test_members_of_a_tar(tmp_path, noise, encode, limit, last):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for seed in range(3):
            data = encode(noise(seed))
            info = tarfile.TarInfo(f"{seed}.png")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    got = reasons(iter_tar(str(path), 2**20, ContainerLimits(max_members=limit)))
    assert got == [None, None, last]


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_page_headers_add_up_to_what_the_metadata_says(tmp_path, compression):
    path = tmp_path / "x.parquet"
    cells = [b"%d" % number * 5000 for number in range(3000)]
    pq.write_table(pa.table({"image": cells}), path, compression=compression, write_page_index=True)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    with path.open("rb") as file:
        pages = list(_pages(file, chunk.dictionary_page_offset or 4, chunk.total_compressed_size))
    sizes = [size for size, _ in pages]
    assert sum(values for _, values in pages) == 3000
    assert len(sizes) > 2
    # the metadata counts the headers too
    assert 0 <= chunk.total_uncompressed_size - sum(sizes) < 100 * len(sizes)


@pytest.mark.parametrize(("rows", "reason"), [(5, None), (4, RejectReason.ARCHIVE_BOMB)])
def test_rows_of_a_parquet_file(tmp_path, rows, reason):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": [b"x"] * 5}), path)
    shard = ShardDescriptor(
        key="x-0000", name="x", kind=ShardKind.PARQUET, uri=str(path), rows=5, column="image"
    )
    got = reasons(iter_members(shard, None, ContainerLimits(max_members=rows)))
    assert got == ([None] * 5 if reason is None else [reason])


def test_memory_of_a_decode(picture, encode):
    big = picture.resize((400, 300))
    webp = encode(big, "WEBP")
    assert not isinstance(normalise(webp, DecodeLimits(max_decode_bytes=2**21)), Reject)
    refused = normalise(webp, DecodeLimits(max_decode_bytes=2**20))
    assert isinstance(refused, Reject)
    assert refused.reason is RejectReason.TOO_MUCH_MEMORY
    assert "limits.image.max_decode_bytes" in refused.detail


def test_rows_for_each_byte_of_a_parquet_file(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": pa.nulls(300_000, pa.binary())}), path)
    with pytest.raises(UnreadableTableError, match=r"300000 rows in \d+ bytes"):
        plan_shards(path, "x", [])
    assert plan_shards(path, "x", [], PlanRules(container=ContainerLimits(max_expansion=10_000)))


def test_rows_of_a_row_group(tmp_path, monkeypatch):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"image": [b"x"] * 20}), path, row_group_size=10)
    monkeypatch.setattr(parquet_pages, "MAX_GROUP_ROWS", 10)
    assert plan_shards(path, "x", [])
    monkeypatch.setattr(parquet_pages, "MAX_GROUP_ROWS", 9)
    with pytest.raises(UnreadableTableError, match="smaller row groups"):
        plan_shards(path, "x", [])


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_rows_before_a_shard_are_decoded_in_large_batches_of_bounded_memory(tmp_path, compression):
    def at_once(cells: pa.Array, **options) -> int:
        path = tmp_path / "x.parquet"
        pq.write_table(pa.table({"image": cells}), path, compression=compression, **options)
        with path.open("rb") as file:
            guard = parquet_pages.PageGuard(file, ["image"], ContainerLimits())
            guard.check(0)
            return guard.rows_at_once(0)

    assert at_once(pa.nulls(9000, pa.binary())) == 4096
    large = pa.array([bytes(2**20)] * 40, pa.binary())
    for dictionary in (False, True):  # a cell of 1 MiB, however little it takes in the file
        rows = at_once(large, use_dictionary=dictionary, dictionary_pagesize_limit=2**30)
        assert 1 <= rows <= 32
    prefixed = pa.array([bytes(2**20) + bytes([n]) for n in range(40)], pa.binary())
    encoding = {"image": "DELTA_BYTE_ARRAY"}
    assert at_once(prefixed, use_dictionary=False, column_encoding=encoding) <= 32
    assert at_once(pa.array([[b"x", b"y"]] * 9)) == 1  # any number of cells in a row


def test_each_part_of_a_row_group_has_its_own_rows(tmp_path):
    path = tmp_path / "x.parquet"
    cells = [b"%d" % number * 300 for number in range(10_000)]
    pq.write_table(pa.table({"image": cells}), path, row_group_size=9_000)
    shard = ShardDescriptor(
        key="x-0000", name="x", kind=ShardKind.PARQUET, uri=str(path), rows=1, column="image"
    )
    for first, rows in ((0, 1), (4095, 3), (8_998, 4), (9_999, 1)):
        part = shard.model_copy(update={"first_row": first, "rows": rows})
        got = [member.data for member in iter_members(part)]
        assert got == cells[first : first + rows]
