"""What people edit while the UI runs is read again; a file's absence is an error that says so."""

import os
from pathlib import Path

import pytest

from rolesynth_assets.defs.wiring.live_files import LiveFiles, marked


class Reader:
    """Reads the texts of a folder, and counts how often."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.times = folder, 0

    def __call__(self) -> dict[str, str]:
        self.times += 1
        return {path.stem: path.read_text() for path in sorted(self.folder.glob("*.yaml"))}


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    (tmp_path / "a.yaml").write_text("one")
    return Reader(tmp_path)


@pytest.fixture
def files(reader: Reader) -> LiveFiles:
    return LiveFiles("recipe", reader, marked(reader.folder))


def test_an_edit_is_seen_and_nothing_is_read_twice(files: LiveFiles, reader: Reader) -> None:
    assert dict(files) == {"a": "one"} and "a" in files and len(files) == 1
    assert reader.times == 1
    path = reader.folder / "a.yaml"
    path.write_text("two")
    os.utime(path, ns=(1, 1))  # an editor that keeps size and moves the time back
    assert files["a"] == "two"
    (reader.folder / "b.yaml").write_text("new")
    assert list(files) == ["a", "b"]
    assert reader.times == 3


def test_a_removed_file_is_named(files: LiveFiles, reader: Reader) -> None:
    assert "a" in files
    (reader.folder / "a.yaml").rename(reader.folder / "b.yaml")
    assert "a" not in files
    assert files.get("a") is None
    with pytest.raises(KeyError, match="there is no recipe a: its file was removed or renamed"):
        files["a"]


def test_a_folder_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    files = LiveFiles("recipe", Reader(folder), marked(folder))
    assert list(files) == []
    folder.mkdir()
    (folder / "a.yaml").write_text("one")
    assert files["a"] == "one"


def test_a_broken_file_is_an_error_until_it_is_mended(tmp_path: Path) -> None:
    def read() -> dict[str, str]:
        text = (tmp_path / "a.yaml").read_text()
        if text == "broken":
            raise ValueError("a.yaml is broken")
        return {"a": text}

    (tmp_path / "a.yaml").write_text("one")
    files = LiveFiles("recipe", read, marked(tmp_path))
    assert files["a"] == "one"
    (tmp_path / "a.yaml").write_text("broken")
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            files["a"]
    (tmp_path / "a.yaml").write_text("mended")
    assert files["a"] == "mended"
