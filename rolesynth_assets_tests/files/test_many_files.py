from pathlib import Path

import pytest

from rolesynth_assets.files.atomic_files import move, write_text
from rolesynth_assets.files.many_files import read_all
from rolesynth_assets.files.object_path import DataPath, ObjectPath, data_path


@pytest.fixture(params=["folder", "bucket"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> DataPath:
    root = request.getfixturevalue("bucket_root") if request.param == "bucket" else tmp_path
    return data_path(str(root)) / "shards"


def contents(folder: DataPath) -> dict[str, str]:
    return {path.name: content.decode() for path, content in read_all(folder, ".json")}


def test_all_files_of_a_kind_are_read(folder: DataPath) -> None:
    assert contents(folder) == {}
    for name in ("b.json", "a.json", "note.txt", "forgotten/c.json"):
        write_text(folder / name, name)
    assert list(contents(folder).items()) == [("a.json", "a.json"), ("b.json", "b.json")]
    write_text(folder / "a.json", "new")
    move(folder / "b.json", folder / "forgotten" / "b.json")
    assert contents(folder) == {"a.json": "new"}
    assert set(contents(folder / "forgotten")) == {"b.json", "c.json"}


def test_an_object_is_requested_again_only_when_it_changed(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data_path(bucket_root) / "shards"
    for name in ("a.json", "b.json"):
        write_text(folder / name, name)
    contents(folder)
    write_text(folder / "b.json", "new")
    asked, read = [], ObjectPath.read_bytes
    monkeypatch.setattr(
        ObjectPath, "read_bytes", lambda self: asked.append(self.name) or read(self)
    )
    assert contents(folder) == {"a.json": "a.json", "b.json": "new"}
    assert asked == ["b.json"]
