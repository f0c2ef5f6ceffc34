"""The digest of a task's files is remembered until one of them changes in any way."""

import os
from pathlib import Path

import pytest

from rolesynth_assets.benchmarks import datasets, known_digests
from rolesynth_assets.benchmarks.datasets import task_digest
from rolesynth_assets.benchmarks.known_digests import known_digest
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks whose files were read, in order; files count as settled at once."""
    names: list[str] = []

    def counted(task: Task, data_root: Path) -> str:
        names.append(task.name)
        return task_digest(task, data_root)

    monkeypatch.setattr(datasets, "task_digest", counted)
    monkeypatch.setattr(known_digests, "SETTLED_NS", 0)
    return names


@pytest.fixture
def task(tmp_path: Path) -> Task:
    folder = tmp_path / "pictures" / "test"
    folder.mkdir(parents=True)
    for key in ("a", "b"):
        (folder / f"{key}.png").write_bytes(f"picture {key}".encode())
        (folder / f"{key}.txt").write_text(f"caption {key}")
    return Task(name="few", kind=TaskKind.RETRIEVAL, path=str(tmp_path / "pictures"))


def test_files_are_read_again_only_after_a_change(
    tmp_path: Path, task: Task, read: list[str]
) -> None:
    root, folder = tmp_path / "data", tmp_path / "pictures" / "test"
    first = known_digest(task, root)
    assert known_digest(task, root) == first == task_digest(task, root)
    assert read == ["few"]

    picture = folder / "a.png"
    times = picture.stat()
    picture.write_bytes(b"picture c")  # as many bytes, and the old time
    os.utime(picture, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = known_digest(task, root)
    assert changed == task_digest(task, root) != first

    (folder / "c.png").write_bytes(b"picture d")
    (folder / "c.txt").write_text("caption d")
    added = known_digest(task, root)
    assert added == task_digest(task, root) not in (first, changed)
    (folder / "c.png").unlink()
    (folder / "c.txt").unlink()
    assert known_digest(task, root) == changed

    other = task.model_copy(update={"text_prefix": "A photo of "})
    assert known_digest(other, root) == task_digest(other, root) != changed


def test_files_that_changed_a_moment_ago_are_read_each_time(
    tmp_path: Path, task: Task, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_digests, "SETTLED_NS", 10**12)
    for _ in range(2):
        known_digest(task, tmp_path)
    assert read == ["few", "few"]


@pytest.mark.parametrize("note", ["no JSON", "[]", "{}"])
def test_a_note_that_cannot_be_read_is_as_good_as_none(
    tmp_path: Path, task: Task, read: list[str], note: str
) -> None:
    first = known_digest(task, tmp_path)
    (tmp_path / "benchmark_digests" / "few.json").write_text(note)
    assert known_digest(task, tmp_path) == first
    assert read == ["few", "few"]


def test_files_that_cannot_be_used_are_an_error_each_time(
    tmp_path: Path, task: Task, read: list[str]
) -> None:
    known_digest(task, tmp_path)
    (tmp_path / "pictures" / "test" / "a.txt").unlink()
    for _ in range(2):
        with pytest.raises(BenchmarkError):
            known_digest(task, tmp_path)
