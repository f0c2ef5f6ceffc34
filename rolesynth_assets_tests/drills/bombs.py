"""Small files and endless answers that would take all memory or time.

Each kind is built by code and read in a process of its own. It holds when that process ends in
time, grows by less than `MAX_GROWTH` and gives a reason for the bomb.
"""

from __future__ import annotations

import bz2
import copy
import lzma
import multiprocessing
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rolesynth_assets_tests.drills.outcome import Outcome, Size

MAX_GROWTH = 700 * 2**20  # bytes; one picture may take limits.image.max_decode_bytes
MAX_SECONDS = 60.0  # on a busy machine; each takes about 2
PROMISE = "ends with a reason, in bounded memory and time"

Build = Callable[[Path, Size], Path]


def _header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def _huge_member(folder: Path, size: Size) -> Path:
    path = folder / "huge.tar"
    path.write_bytes(_header("a.png", 2**62) + bytes(4096))
    return path


def _huge_pax_size(folder: Path, size: Size) -> Path:
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"size": str(2**62)}
    path = folder / "pax.tar"
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(4096))
    return path


def _negative_pax_size(folder: Path, size: Size) -> Path:
    info = tarfile.TarInfo("a.png")
    info.pax_headers = {"size": "-1048576"}
    path = folder / "negative.tar"
    path.write_bytes(info.tobuf(tarfile.PAX_FORMAT) + bytes(4096))
    return path


def _nested_headers(folder: Path, size: Size) -> Path:
    path = folder / "nested.tar"
    path.write_bytes(_header("x", 0, tarfile.XHDTYPE) * 5000 + bytes(1024))
    return path


def _sparse_members(folder: Path, size: Size) -> Path:
    """Maps of holes, old and new: sizes of 1 TB, and a map that the file does not end."""
    path = folder / "sparse.tar"
    parts = []
    for number in range(200):
        block = bytearray(_header(f"{number}.png", 0, tarfile.GNUTYPE_SPARSE))
        block[386:398] = b"00000000000\0"
        block[483:495] = b"\x80" + (2**40).to_bytes(11, "big")
        block[148:156] = b" " * 8
        block[148:156] = f"{sum(block):06o}\0 ".encode()
        parts.append(bytes(block))
    info = tarfile.TarInfo("last.png")
    info.size = 512
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    parts.append(info.tobuf(tarfile.PAX_FORMAT) + b"999999999\n".ljust(512, b"0"))
    path.write_bytes(b"".join(parts))
    return path


def _tar_of_zeros(size: Size) -> bytes:
    length = (1 if size == "long" else 0.1) * 2**30
    return _header("a.png", int(length)) + bytes(int(length)) + bytes(1024)


def _bz2(folder: Path, size: Size) -> Path:
    path = folder / "x.tar.bz2"
    path.write_bytes(bz2.compress(_tar_of_zeros(size), 9))
    return path


def _xz(folder: Path, size: Size) -> Path:
    path = folder / "x.tar.xz"
    path.write_bytes(lzma.compress(_tar_of_zeros(size), preset=0))
    return path


def _zip(folder: Path, size: Size) -> Path:
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(24 if size == "long" else 3):
            archive.writestr(f"{number}.png", bytes(40 * 2**20))
    return path


def _parquet(folder: Path, size: Size, **options: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "x.parquet"
    with pq.ParquetWriter(path, pa.schema({"image": pa.large_binary()}), **options) as writer:
        cell = b"\xff" * (60 if size == "long" else 20) * 2**20
        writer.write_table(pa.table({"image": pa.array([cell] * 24, pa.large_binary())}))
    return path


def many_groups(folder: Path, size: Size) -> Path:
    """Row groups of 48 MiB, each of which alone would be allowed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "groups.parquet"
    schema = pa.schema({"image": pa.binary()})
    with pq.ParquetWriter(path, schema, use_dictionary=False, compression="zstd") as writer:
        for _ in range(60 if size == "long" else 3):
            cells = pa.array([bytes(2**20)] * 48, pa.binary())
            writer.write_table(pa.table({"image": cells}))
    return path


def listed_again(folder: Path, size: Size, column: str = "image") -> Path:
    """A footer that lists the one row group of its file 2 times, or 64 times."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path, footer = folder / "again.parquet", folder / "footer"
    cells = pa.array(["x" * 2**20] * 33, pa.string())
    cells = cells if column != "image" else cells.cast(pa.binary())
    pq.write_table(pa.table({column: cells}), path, use_dictionary=False, compression="zstd")
    metadata = pq.ParquetFile(path).metadata
    for _ in range(6 if size == "long" else 1):
        metadata.append_row_groups(metadata)
    metadata.write_metadata_file(footer)
    data = path.read_bytes()
    body = data[: len(data) - 8 - int.from_bytes(data[-8:-4], "little")]
    path.write_bytes(body + footer.read_bytes()[4:])
    return path


def crossed_members(folder: Path, size: Size) -> Path:
    """25 entries of a zip's directory for one member, whose checksum is wrong."""
    path = folder / "crossed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("00.png", bytes(30 * 2**20))
        info = archive.infolist()[0]
        info.CRC += 1
        for number in range(1, 25):
            again = copy.copy(info)
            again.filename = f"{number:02}.png"
            archive.filelist.append(again)
    return path


def rejected_members(folder: Path, size: Size) -> Path:
    """Members with a wrong checksum, each of which is a reject once it is unpacked."""
    path = folder / "rejected.zip"
    content = bytes(30 * 2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(25 if size == "long" else 3):
            archive.writestr(f"{number:02}.png", content)
        for info in archive.infolist():
            info.CRC += 1
    return path


def _plain_cells(folder: Path, size: Size) -> Path:
    return _parquet(folder, size, use_dictionary=False, compression="zstd")


def _dictionary_cells(folder: Path, size: Size) -> Path:
    return _parquet(
        folder, size, use_dictionary=True, compression="zstd", dictionary_pagesize_limit=2**30
    )


def _nulls(folder: Path, size: Size) -> Path:
    """3,000,000 rows in 6 kB: 300 shards of nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "nulls.parquet"
    pq.write_table(pa.table({"image": pa.nulls(3_000_000, pa.binary())}), path)
    return path


def _webp(folder: Path, size: Size) -> Path:
    from PIL import Image

    path = folder / "x.webp"
    Image.new("RGB", (7000, 7000), "red").save(path, lossless=True)
    return path


def _tiff_tile(folder: Path, size: Size) -> Path:
    """A picture of 64 x 64 pixels in one tile of 32,768 x 32,768."""
    path = folder / "x.tif"
    tags = [
        (256, 64), (257, 64), (258, 8), (259, 5), (262, 1), (277, 1),
        (322, 32768), (323, 32768), (324, 200), (325, 100),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + directory + bytes(4)
    path.write_bytes(head.ljust(200, b"\0") + bytes(100))
    return path


_FILES: dict[str, tuple[Build, ...]] = {
    "tar members of 2^62 bytes, negative sizes, headers that nest": (
        *(_huge_member, _huge_pax_size, _negative_pax_size, _nested_headers),
    ),
    "tar members with holes": (_sparse_members,),
    "tar.bz2 and tar.xz of 1 GB of zeros": (_bz2, _xz),
    "a zip of 1 GB of zeros": (_zip,),
    "zips whose members share bytes, or are rejects once they are unpacked": (
        *(crossed_members, rejected_members),
    ),
    "parquet cells of 60 MB in some kB": (_plain_cells, _dictionary_cells),
    "parquet files of many row groups, or of one that is listed again": (many_groups, listed_again),
    "a parquet file of 3,000,000 nulls in 6 kB": (_nulls,),
    "pictures that unpack to far more than their size": (_webp, _tiff_tile),
}


_COUNTED = (crossed_members, rejected_members, many_groups, listed_again)
"""These have rows with other reasons too, so one of theirs must be `archive_bomb`."""

ENDLESS = "answers of a server that do not end, plain, packed and as an error"
FAULTS = [*_FILES, ENDLESS]


def _read_image_source(path: Path) -> list[str]:
    """Return the reasons that reading `path` gives."""
    from rolesynth_assets.images.ingest import ingest_batches
    from rolesynth_assets.images.shards.planning import UnreadableTableError, plan_shards

    try:
        shards = plan_shards(path, "bomb", [])
    except UnreadableTableError as error:
        return [str(error)]
    batches = (batch for shard in shards for batch in ingest_batches(shard))
    return [reason for batch in batches for reason in batch.rejects["reason"].to_pylist()]


def _peak() -> int:
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def _measure(path: Path, reason: str | None, pipe: Any) -> None:
    import pyarrow.parquet  # noqa: F401 - not part of the growth

    from rolesynth_assets.images.decoding import decode  # noqa: F401
    from rolesynth_assets.images.readers import tables, tars  # noqa: F401

    before = _peak()
    reasons = _read_image_source(path)
    pipe.send((reason in reasons if reason else bool(reasons), _peak() - before))


def defused(path: Path, reason: str | None = None) -> bool:
    """Read a file in a process of its own; return whether it kept the promise, with the reason."""
    spawn = multiprocessing.get_context("spawn")
    mine, theirs = spawn.Pipe()
    process = spawn.Process(target=_measure, args=(path, reason, theirs))
    started = time.monotonic()
    process.start()
    theirs.close()
    try:
        told, growth = mine.recv() if mine.poll(MAX_SECONDS) else (False, 0)
    except EOFError:
        told, growth = False, 0
    process.kill()
    process.join()
    if not told or growth > MAX_GROWTH:
        seconds = time.monotonic() - started
        print(f"{path.name}: reason {told}, {growth >> 20} MiB, {seconds:.0f} s", file=sys.stderr)
    return told and growth <= MAX_GROWTH


def run(size: Size) -> list[Outcome]:
    """Read every kind of bomb."""
    outcomes = []
    for fault, builders in _FILES.items():
        held = 0
        for build in builders:
            with tempfile.TemporaryDirectory() as folder:
                reason = "archive_bomb" if build in _COUNTED else None
                held += defused(build(Path(folder), size), reason)
        outcomes.append(Outcome(fault, len(builders), held, PROMISE))
    return [*outcomes, _endless_answers(size)]


def _endless_answers(size: Size) -> Outcome:
    from rolesynth_assets_tests.drills import endless_answers

    held = endless_answers.count_held()
    return Outcome(ENDLESS, endless_answers.KINDS, held, "ends with a reason for its request")
