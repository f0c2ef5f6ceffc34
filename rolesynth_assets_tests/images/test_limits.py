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
from rolesynth_assets.images.readers.members import iter_members
from rolesynth_assets.images.readers.parquet_pages import _pages
from rolesynth_assets.images.readers.tars import iter_tar


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
