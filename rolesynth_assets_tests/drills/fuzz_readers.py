"""Damaged inputs: each reader gives rows or its own error, and nothing else.

Good inputs are made by code and damaged at random: bytes flipped, cut out, doubled, numbers set to
their extremes. The seed of a fault is printed, so that it can be made again.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rolesynth_assets_tests.drills.outcome import Outcome, Size

INPUTS = 60  # of a reader in the small size
SECONDS = float(os.environ.get("FUZZ_SECONDS", 600))
"""Seconds of a reader in the long size, which a variable may shorten; its row names them."""
_EXTREMES = (b"\xff" * 8, bytes(8), b"\x7f" + b"\xff" * 7, b"9" * 12, b"-1", b"\x80" + bytes(7))


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with one to eight damages."""
    result = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(result) + 1)
        match chance.randrange(5):
            case 0:
                result[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del result[place : place + chance.choice((1, 16, 512))]
            case 2:
                result[place:place] = result[place : place + chance.choice((1, 16, 512))]
            case 3:
                extreme = chance.choice(_EXTREMES)
                result[place : place + len(extreme)] = extreme
            case 4 if chance.random() < 0.3:
                del result[place:]
    return bytes(result)


def _png(seed: int, form: str = "PNG") -> bytes:
    from PIL import Image

    out = io.BytesIO()
    picture = Image.frombytes("RGB", (40, 36), random.Random(seed).randbytes(40 * 36 * 3))
    picture.save(out, form)
    return out.getvalue()


def _tars(folder: Path) -> list[bytes]:
    found = []
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=mode) as tar:
            for number, name in enumerate(("a.png", "d/" * 70 + "b.png", "ü.txt")):
                info = tarfile.TarInfo(name)
                data = _png(number)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        found.append(out.getvalue())
    return found


def _read_tar(data: bytes, folder: Path) -> None:
    from rolesynth_assets.images.readers.tars import iter_tar

    path = folder / "x.tar"
    path.write_bytes(data)
    for _ in iter_tar(str(path), 2**20):
        pass


def _parquets(folder: Path) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for compression in ("none", "snappy", "zstd"):
        path = folder / "made.parquet"
        cells = [_png(number) for number in range(4)] + [None]
        pq.write_table(pa.table({"image": cells}), path, compression=compression, row_group_size=2)
        found.append(path.read_bytes())
    return found


def _read_parquet(data: bytes, folder: Path) -> None:
    from rolesynth_assets.images.readers.members import iter_members
    from rolesynth_assets.images.shards.planning import UnreadableTableError, plan_shards

    path = folder / "x.parquet"
    path.write_bytes(data)
    try:
        shards = plan_shards(path, "x", [])
    except (UnreadableTableError, ValueError):
        return
    for shard in shards[:3]:
        for _ in iter_members(shard):
            pass


def _zips(folder: Path) -> list[bytes]:
    import zipfile

    found = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for number, name in enumerate(("a.png", "d/" * 70 + "b.png", "ü.txt")):
                archive.writestr(name, _png(number))
        found.append(out.getvalue())
    return found


def _read_zip(data: bytes, folder: Path) -> None:
    from rolesynth_assets.images.readers.zips import iter_zip

    path = folder / "x.zip"
    path.write_bytes(data)
    for _ in iter_zip(str(path), 2**20):
        pass


def _packed(folder: Path) -> bytes:
    """Pack a folder's files into one text, so that damage reaches each of them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.add(folder, ".")
    return out.getvalue()


def _lances(folder: Path) -> list[bytes]:
    """Lance datasets, each as the file that is damaged and the tar of the whole."""
    import lance
    import pyarrow as pa

    place = folder / "made.lance"
    cells = [_png(number) for number in range(4)] + [None]
    lance.write_dataset(pa.table({"image": pa.array(cells, pa.binary())}), place)
    _LANCE[:] = [_packed(place)]
    return [path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()]


_LANCE: list[bytes] = []
"""The good dataset, whose files a damaged one replaces in turn."""


def _read_lance(data: bytes, folder: Path) -> None:
    """Put a damaged file in the place of the file of a dataset that it resembles most."""
    from rolesynth_assets.images.readers.members import iter_members
    from rolesynth_assets.images.shards.planning import plan_shards

    place = folder / "x.lance"
    shutil.rmtree(place, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(_LANCE[0])) as tar:
        tar.extractall(place, filter="data")
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    planned = plan_shards(place, "x", [])
    min(files, key=lambda path: abs(path.stat().st_size - len(data))).write_bytes(data)
    for shard in planned:
        for _ in iter_members(shard):
            pass
    with contextlib.suppress(ValueError):  # what a user reads who ingests the damaged dataset
        plan_shards(place, "x", [])


def _pictures(folder: Path) -> list[bytes]:
    from pillow_heif import register_heif_opener
    from pillow_jxl import JpegXLImagePlugin

    register_heif_opener()
    assert JpegXLImagePlugin  # it registers itself
    forms = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF", "JXL")
    return [_png(7, form) for form in forms]


def _read_picture(data: bytes, folder: Path) -> None:
    from rolesynth_assets.images.decoding.decode import normalise

    normalise(data)


def _yamls(folder: Path) -> list[bytes]:
    from rolesynth_assets.roles.library import SHIPPED_SETS

    return [(SHIPPED_SETS / "roles5.yaml").read_bytes()]


def _read_yaml(data: bytes, folder: Path) -> None:
    from rolesynth_assets.roles.library import RoleSetError, load_role_set

    path = folder / "x.yaml"
    path.write_bytes(data)
    try:
        load_role_set(path)
    except RoleSetError:
        return


def _seeds(folder: Path) -> list[bytes]:
    row = b'{"problem": "1 + 1?", "answer": 2, "images": [{"bytes": "aGk="}], "x": [[1, 2], {}]}\n'
    return [row * 3]


def _read_seeds(data: bytes, folder: Path) -> None:
    from rolesynth_assets.cads.seeds.files import seed_files

    path = folder / "x.jsonl"
    path.write_bytes(data)
    for _ in seed_files(path):
        pass


def _parquet_seeds(folder: Path) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    kind = pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    for compression in ("none", "zstd"):
        path = folder / "made.parquet"
        images = [[{"bytes": _png(number), "path": "p"}] for number in range(3)]
        table = {
            "problem": ["<image> 1 + 1?"] * 3,
            "answer": ["2"] * 3,
            "images": pa.array(images, kind),
        }
        pq.write_table(pa.table(table), path, compression=compression, row_group_size=2)
        found.append(path.read_bytes())
    return found


def _read_parquet_seeds(data: bytes, folder: Path) -> None:
    from rolesynth_assets.cads.seeds.files import SeedFileError
    from rolesynth_assets.cads.seeds.read import read_seeds

    path = folder / "x.parquet"
    path.write_bytes(data)
    try:
        for _ in read_seeds(path, "domain"):
            pass
    except SeedFileError:
        return


def _benchmarks(folder: Path) -> list[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    image = {"bytes": _png(1), "path": None}
    row = {"pid": "1", "question": "1 + 1?", "answer": "2", "decoded_image": image}
    path = folder / "made.parquet"
    pq.write_table(pa.Table.from_pylist([row] * 2), path)
    text = b'{"1": {"pid": "1", "question": "1 + 1?", "answer": "2", "image": "images/1.png"}}'
    return [path.read_bytes(), text, text.replace(b'"2"', b"[2, {}]")]


def _read_benchmark(data: bytes, folder: Path) -> None:
    """Read a split of MathVista in the form that the data has: parquet, or JSON with images."""
    from rolesynth_assets.r1.benchmarks.definition import R1Benchmark, R1BenchmarkError
    from rolesynth_assets.r1.benchmarks.items import benchmark_items

    root = folder / "benchmark"
    shutil.rmtree(root, ignore_errors=True)
    (root / "images").mkdir(parents=True)
    (root / "images" / "1.png").write_bytes(_png(1))
    name = "testmini.parquet" if b"PAR1" in data else "testmini.json"
    (root / name).write_bytes(data)
    benchmark = R1Benchmark(name="x", layout="mathvista", path=str(root))
    try:
        benchmark_items(benchmark, folder)
    except R1BenchmarkError:
        return


def _replies(folder: Path) -> list[bytes]:
    whole = b'{"choices": [{"message": {"content": "{\\"a\\": [1]}"}, "finish_reason": "stop"}]}'
    event = b'data: {"choices": [{"index": 0, "delta": {"content": "a", "refusal": null}}]}\n\n'
    error = b'{"error": {"message": "busy", "code": 429}, "choices": [{"text": "a"}]}'
    return [whole, event * 2 + b"data: [DONE]\n", error]


def _read_reply(data: bytes, folder: Path) -> None:
    from rolesynth_assets.cads.prompts.json_object import json_objects
    from rolesynth_assets.mllm.openai.completion_body import read_body
    from rolesynth_assets.mllm.openai.reply import read_completion
    from rolesynth_assets.mllm.openai.server_error import error_inside

    value = read_body(data)
    error_inside(value, {})
    read_completion("one", value, 1.0)
    try:
        json_objects(data.decode("utf-8", "replace"))
    except ValueError:
        return


_READERS: dict[str, tuple[Callable[[Path], list[bytes]], Callable[[bytes, Path], None]]] = {
    "tars": (_tars, _read_tar),
    "zips": (_zips, _read_zip),
    "parquet files": (_parquets, _read_parquet),
    "Lance datasets": (_lances, _read_lance),
    "pictures": (_pictures, _read_picture),
    "YAML files": (_yamls, _read_yaml),
    "seed files": (_seeds, _read_seeds),
    "parquet seeds": (_parquet_seeds, _read_parquet_seeds),
    "R1 benchmarks": (_benchmarks, _read_benchmark),
    "replies": (_replies, _read_reply),
}


_FAULT = "damaged {}"
FAULTS = [_FAULT.format(reader) for reader in _READERS]


def fuzz(reader: str, inputs: int | None, seconds: float = 0.0) -> tuple[int, int]:
    """Give a reader damaged inputs; return how many were tried and how many held."""
    make, read = _READERS[reader]
    tried = held = 0
    with tempfile.TemporaryDirectory() as place:
        good = make(Path(place))
        ends = time.monotonic() + seconds
        while tried < inputs if inputs is not None else time.monotonic() < ends:
            chance = random.Random(tried)
            data = damaged(chance.choice(good), chance)
            try:
                read(data, Path(place))
                held += 1
            except BaseException as error:  # panics in Rust are not an `Exception`
                if isinstance(error, KeyboardInterrupt):
                    raise
                print(f"{reader}, seed {tried}: {type(error).__name__}: {error}", file=sys.stderr)
            tried += 1
    return tried, held


def run(size: Size) -> list[Outcome]:
    """Damage the inputs of every reader."""
    outcomes = []
    for reader in _READERS:
        tried, held = fuzz(reader, INPUTS if size == "small" else None, SECONDS)
        promise = f"rows or the reader's own error; {SECONDS:.0f} s"
        outcomes.append(Outcome(_FAULT.format(reader), tried, held, promise))
    return outcomes
