from __future__ import annotations

import os

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rolesynth_assets.images.decoding.decode import DecodeLimits
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.descriptor import (
    ShardDescriptor,
    ShardKind,
    decode_path,
    encode_path,
)
from rolesynth_assets.images.readers.columns import NoImageColumnError, pick_column
from rolesynth_assets.images.readers.members import iter_members


def shard(kind: ShardKind, uri: object, **fields: object) -> ShardDescriptor:
    return ShardDescriptor(key="s-0000", name="s", kind=kind, uri=str(uri), **fields)  # type: ignore[arg-type]


def read(descriptor: ShardDescriptor, limits: DecodeLimits | None = None) -> list[object]:
    return [
        member.data.reason if isinstance(member.data, Reject) else member.data
        for member in iter_members(descriptor, limits)
    ]


def test_folder_members_keep_the_order_of_the_descriptor(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    descriptor = shard(ShardKind.FOLDER, tmp_path, members=("b.png", "gone.png", "a.png"))
    members = list(iter_members(descriptor))
    assert [m.source for m in members] == [
        f"{tmp_path}/{n}" for n in ("b.png", "gone.png", "a.png")
    ]
    assert read(descriptor) == [b"b.png", RejectReason.SOURCE_MISSING, b"a.png"]


def test_folder_members_never_lead_out_nor_block(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    os.mkfifo(folder / "pipe.png")
    (folder / "dir.png").mkdir()
    (folder / "big.png").write_bytes(bytes(101))
    (folder / "fits.png").write_bytes(bytes(100))
    names = ("../secret.png", str(tmp_path / "secret.png"), "pipe.png", "dir.png")
    descriptor = shard(ShardKind.FOLDER, folder, members=(*names, "big.png", "fits.png"))
    *bad, big, fits = read(descriptor, DecodeLimits(max_bytes=100))
    assert bad[:3] == [RejectReason.UNSAFE_PATH] * 3
    assert bad[3] in (RejectReason.UNSAFE_PATH, RejectReason.UNREADABLE)
    assert (big, fits) == (RejectReason.TOO_MANY_BYTES, bytes(100))


@pytest.mark.parametrize("name", ["a.png", "größe 図.png", "caf\udce9.png", "%bytes:a", "%41.png"])
def test_any_file_name_survives_json(name):
    spelled = encode_path(name)
    descriptor = shard(ShardKind.FOLDER, "/x", members=(spelled,))
    again = ShardDescriptor.model_validate_json(descriptor.model_dump_json())
    assert decode_path(again.members[0]) == name
    assert (spelled == name) == (name not in ("caf\udce9.png", "%bytes:a"))


CELLS = [b"zero", None, b"two", b"x" * 200, b"", b"five"]
WANT = [
    b"zero",
    RejectReason.MISSING_BYTES,
    b"two",
    RejectReason.TOO_MANY_BYTES,
    b"",
    b"five",
]
LIMITS = DecodeLimits(max_bytes=100)


def columns() -> dict[str, pa.Array]:
    records = [None if cell is None else {"bytes": cell, "path": "p"} for cell in CELLS]
    return {
        "binary": pa.array(CELLS, pa.binary()),
        "large": pa.array(CELLS, pa.large_binary()),
        "struct": pa.array(records, pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    }


@pytest.mark.parametrize("kind", list(columns()))
@pytest.mark.parametrize(("first", "rows"), [(0, 6), (1, 3), (3, 3), (5, 1)])
def test_parquet_rows(tmp_path, kind, first, rows):
    path = tmp_path / "x.parquet"
    table = pa.table({"text": ["t"] * 6, "image": columns()[kind]})
    pq.write_table(table, path, row_group_size=2)
    descriptor = shard(ShardKind.PARQUET, path, first_row=first, rows=rows, column="image")
    assert read(descriptor, LIMITS) == WANT[first : first + rows]
    sources = [member.source for member in iter_members(descriptor, LIMITS)]
    assert sources == [f"{path}::{row}" for row in range(first, first + rows)]


def test_a_parquet_row_with_a_path_only_reads_no_other_file(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    path = tmp_path / "x.parquet"
    pq.write_table(
        pa.table({"image": pa.array([{"bytes": None, "path": str(secret)}], kind)}), path
    )
    descriptor = shard(ShardKind.PARQUET, path, rows=1, column="image")
    assert read(descriptor) == [RejectReason.MISSING_BYTES]


def test_a_damaged_row_group_gives_a_row_and_the_next_is_read(tmp_path):
    path = tmp_path / "x.parquet"
    cells = [bytes([65 + row]) * 90 for row in range(6)]
    table = pa.table({"image": cells})
    pq.write_table(table, path, row_group_size=2, compression="zstd", use_dictionary=False)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    start = chunk.data_page_offset
    data[start : start + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(data)
    descriptor = shard(ShardKind.PARQUET, path, rows=6, column="image")
    assert read(descriptor) == [*cells[:2], RejectReason.BROKEN_ARCHIVE, *cells[4:]]


def test_a_parquet_file_that_is_none_or_lost_its_column_gives_a_row(tmp_path):
    path = tmp_path / "x.parquet"
    descriptor = shard(ShardKind.PARQUET, path, rows=6, column="image")
    assert read(descriptor) == [RejectReason.BROKEN_ARCHIVE]
    path.write_bytes(b"PAR1 no PAR1")
    assert read(descriptor) == [RejectReason.BROKEN_ARCHIVE]
    pq.write_table(pa.table({"other": [b"x"]}), path)
    assert read(descriptor) == [RejectReason.BROKEN_ARCHIVE]


@pytest.mark.parametrize("kind", ["binary", "struct"])
def test_lance_rows_of_the_pinned_version(tmp_path, kind):
    path = tmp_path / "x.lance"
    lance.write_dataset(pa.table({"image": columns()[kind]}), path, max_rows_per_file=2)
    version = lance.dataset(path).version
    lance.write_dataset(pa.table({"image": columns()[kind][:1]}), path, mode="overwrite")
    for first, rows in [(0, 6), (1, 4), (5, 1)]:
        descriptor = shard(
            ShardKind.LANCE, path, first_row=first, rows=rows, column="image", version=version
        )
        assert read(descriptor, LIMITS) == WANT[first : first + rows]
    gone = shard(ShardKind.LANCE, tmp_path / "no.lance", rows=1, column="image", version=1)
    assert read(gone) == [RejectReason.BROKEN_ARCHIVE]


def test_a_lance_dataset_that_ends_its_reader_is_a_reject_and_the_next_one_is_read(tmp_path):
    for name in ("damaged.lance", "good.lance"):
        lance.write_dataset(pa.table({"image": [b"x" * 500]}), tmp_path / name)
    data = next((tmp_path / "damaged.lance").glob("data/*"))
    layout = b"lance.encodings21.PageLayout"
    assert layout in data.read_bytes()
    # Lance aborts the process over this name
    data.write_bytes(data.read_bytes().replace(layout, layout[:-9] + bytes(8) + b"t"))
    about = {"rows": 1, "column": "image", "version": 1}
    for _ in range(2):
        (member,) = iter_members(shard(ShardKind.LANCE, tmp_path / "damaged.lance", **about))
        assert isinstance(member.data, Reject)
        assert member.data.reason is RejectReason.BROKEN_ARCHIVE
        assert "Lance ends its process" in member.data.detail
        assert read(shard(ShardKind.LANCE, tmp_path / "good.lance", **about)) == [b"x" * 500]


def test_the_image_column_is_found_or_the_columns_are_named():
    binary, text = pa.binary(), pa.string()
    assert pick_column(pa.schema([("jpg", binary), ("txt", text)]), None, "x") == "jpg"
    assert pick_column(pa.schema([("image", text), ("img", binary)]), None, "x") == "img"
    assert pick_column(pa.schema([("photo", binary)]), "photo", "x") == "photo"
    for schema, asked in [([("image", text)], None), ([("photo", binary)], "image")]:
        with pytest.raises(
            NoImageColumnError, match=r"x has not .* It has: \w+ \(.*ingest --column"
        ):
            pick_column(pa.schema(schema), asked, "x")
