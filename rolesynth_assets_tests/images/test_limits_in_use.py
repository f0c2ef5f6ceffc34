"""Every reader goes by the limits of the project's settings."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rolesynth_assets.benchmarks.datasets import read_retrieval
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.cads.seeds.files import SeedFileError
from rolesynth_assets.cads.seeds.read import SeedReject, read_seeds
from rolesynth_assets.images.limits import limits_in_use
from rolesynth_assets.r1.benchmarks.definition import R1Benchmark, R1BenchmarkError
from rolesynth_assets.r1.benchmarks.items import benchmark_items
from rolesynth_assets.settings import Settings

SEED = {"problem": "<image> How many?", "answer": "2"}
ITEM = {"pid": "1", "question": "How many?", "answer": "2"}
Refused = Callable[[Path], object]


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(out, "PNG")
    return out.getvalue()


def seeds_as_parquet(folder: Path) -> Iterator[object]:
    cells = [{"bytes": png(), "path": None}]
    rows = [{**SEED, "answer": str(n), "problem": f"<image> {n}?", "images": cells} for n in (1, 2)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "x.parquet")
    yield from read_seeds(folder / "x.parquet", "d")


def seeds_as_jsonl(folder: Path) -> Iterator[object]:
    (folder / "a.png").write_bytes(png())
    (folder / "x.jsonl").write_text(json.dumps({**SEED, "images": ["a.png"]}) + "\n")
    yield from read_seeds(folder / "x.jsonl", "d")


def r1_as_parquet(folder: Path) -> Iterator[object]:
    cell = {"bytes": png(), "path": None}
    rows = [{**ITEM, "pid": pid, "decoded_image": cell} for pid in "12"]
    pq.write_table(pa.Table.from_pylist(rows), folder / "testmini.parquet")
    yield from _r1(folder)


def r1_as_json(folder: Path) -> Iterator[object]:
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "1.png").write_bytes(png())
    rows = {"1": {**ITEM, "image": "images/1.png"}}
    (folder / "testmini.json").write_text(json.dumps(rows))
    yield from _r1(folder)


def _r1(folder: Path) -> list[object]:
    return list(
        benchmark_items(R1Benchmark(name="x", layout="mathvista", path=str(folder)), folder)
    )


def clip_tar(folder: Path) -> Iterator[object]:
    with tarfile.open(folder / "0.tar", "w") as tar:
        for number in range(2):
            for end, data in (("png", png()), ("txt", b"a red square")):
                info = tarfile.TarInfo(f"{number}.{end}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    task = Task(name="t", kind=TaskKind.RETRIEVAL, path=str(folder / "0.tar"))
    for sample in read_retrieval(task, folder).images:
        yield sample.image.read()


@pytest.mark.parametrize(
    ("read", "limit"),
    [
        (seeds_as_parquet, "container: {max_members: 1}"),
        (seeds_as_parquet, "image: {max_pixels: 100}"),
        (seeds_as_jsonl, "image: {max_bytes: 20}"),
        (seeds_as_jsonl, "image: {max_pixels: 100}"),
        (r1_as_parquet, "container: {max_members: 1}"),
        (r1_as_parquet, "image: {max_pixels: 100}"),
        (r1_as_json, "image: {max_bytes: 20}"),
        (clip_tar, "container: {max_members: 1}"),
        (clip_tar, "image: {max_bytes: 20}"),
    ],
)
def test_a_reader_goes_by_the_settings(tmp_path: Path, read: Refused, limit: str) -> None:
    assert _held(read, tmp_path)
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "rolesynth.yaml").write_text(f"limits: {{{limit}}}\n")
    settings = Settings.load({"ROLESYNTH_PROJECT": str(tmp_path / "project")})
    assert limits_in_use() == settings.limits
    assert not _held(read, tmp_path)


def _held(read: Refused, folder: Path) -> bool:
    """Return whether everything is read."""
    try:
        found = list(read(folder))  # type: ignore[call-overload]
    except (SeedFileError, R1BenchmarkError, BenchmarkError):
        return False
    return bool(found) and not any(isinstance(one, SeedReject) for one in found)


@pytest.mark.parametrize(
    "content",
    [
        "#" * (2**20 + 1),
        "DESCRIPTIVE_RESP_INST = " + "-" * 100_000 + "1",
        "DESCRIPTIVE_RESP_INST = " + "(" * 5_000,
        "DESCRIPTIVE_RESP_INST = [1]",
        "DESCRIPTIVE_RESP_INST = {'a': 'b'}",
        "DESCRIPTIVE_RESP_INST = __import__('os').getcwd()",
        "x = 1",
    ],
)
def test_wording_that_is_not_the_publishers_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    row = {"figure_id": 1, "qids": [1], "answers": ["2"], "subplot_loc": "x"}
    (tmp_path / "data" / "descriptive_val.json").write_text(json.dumps({"1": row}))
    (tmp_path / "constants.py").write_text(content)
    benchmark = R1Benchmark(name="x", layout="charxiv_descriptive", path=str(tmp_path))
    with pytest.raises(R1BenchmarkError, match="fetch it again"):
        benchmark_items(benchmark, tmp_path)
