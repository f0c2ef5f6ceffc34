from __future__ import annotations

from pathlib import Path

import pytest

from rolesynth_assets.benchmarks.contamination import benchmark_images
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
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


def test_files_that_are_no_benchmark_are_an_error_and_not_an_empty_set(root: Path) -> None:
    (root / "benchmarks" / "absent").mkdir()
    with pytest.raises(BenchmarkError, match="absent"):
        benchmark_images(TASKS, root)
