from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.benchmarks import contamination
from rolesynth_assets.benchmarks.contamination import (
    benchmark_images,
    benchmark_looks,
    copies_in,
)
from rolesynth_assets.benchmarks.tasks import Task, TaskKind
from rolesynth_assets.embedded.world.write_benchmark import write_classification, write_retrieval
from rolesynth_assets.store.digests import image_id


def task(name: str) -> Task:
    kind = TaskKind.CLASSIFICATION if name == "classes" else TaskKind.RETRIEVAL
    return Task(name=name, kind=kind, path=f"{{data}}/benchmarks/{name}")


TASKS = {name: task(name) for name in ("pairs", "classes", "absent")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmarks"
    write_retrieval(folder / "pairs", [(b"one", ["a"]), (b"two", ["b"]), (b"two", ["c"])])
    write_classification(
        folder / "classes",
        [(b"two", 0), (b"three", 1)],
        class_names=["x", "y"],
        templates=["{c}"],
    )
    return tmp_path


def test_ids_are_those_of_the_images_table(root: Path) -> None:
    assert benchmark_images(TASKS, root) == {
        "pairs": {image_id(b"one"), image_id(b"two")},
        "classes": {image_id(b"two"), image_id(b"three")},
    }


def test_a_task_without_files_is_left_out(root: Path) -> None:
    assert benchmark_images({"absent": TASKS["absent"]}, root) == {}


def test_a_benchmark_that_cannot_be_read_is_logged_and_stops_no_other(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (root / "benchmarks" / "absent").mkdir()
    assert set(benchmark_images(TASKS, root)) == {"pairs", "classes"}
    assert "benchmark absent: Task absent: no sample in" in caplog.text


def boxes(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    pixels = np.full((96, 128, 3), 200, dtype=np.uint8)
    for _ in range(6):
        x, y = rng.integers(0, 96), rng.integers(0, 64)
        pixels[y : y + 28, x : x + 28] = rng.integers(0, 256, 3)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, image_format: str = "PNG", **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def test_copies_in_other_bytes_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "set"
    write_retrieval(folder, [(encoded(boxes(n)), [f"scene {n}"]) for n in range(3)])
    kind = TaskKind.RETRIEVAL
    tasks = {
        "mine": Task(name="mine", kind=kind, path=str(folder)),
        "embedded": Task(name="embedded", kind=kind, path="{data}/set"),
        "broken": Task(name="broken", kind=kind, path=str(tmp_path / "none.tar")),
        "absent": Task(name="absent", kind=kind, path=str(tmp_path / "absent")),
    }
    (tmp_path / "none.tar").write_bytes(b"no tar")
    looks = benchmark_looks(tasks, tmp_path)
    assert set(looks) == {"mine"}
    assert "benchmark broken" in caplog.text
    training = {
        "copy": encoded(boxes(1).resize((96, 72)), "JPEG", quality=60),
        "other": encoded(boxes(7)),
        "damaged": b"no image",
    }
    found = copies_in(list(training), lambda ids: {i: training[i] for i in ids}, looks)
    assert found == {"copy": "mine"}
    assert copies_in(list(training), lambda ids: pytest.fail("read"), {}) == {}

    monkeypatch.setattr(contamination, "look_of", lambda image: pytest.fail("decoded again"))
    assert (benchmark_looks(tasks, tmp_path)["mine"].phashes == looks["mine"].phashes).all()


def test_other_files_are_looked_at_again(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_retrieval(folder, [(encoded(boxes(0)), ["scene"])])
    tasks = {"mine": Task(name="mine", kind=TaskKind.RETRIEVAL, path=str(folder))}
    before = benchmark_looks(tasks, tmp_path)["mine"].phashes
    (folder / "test" / "s0000000.png").write_bytes(encoded(boxes(5)))
    assert (benchmark_looks(tasks, tmp_path)["mine"].phashes != before).any()
