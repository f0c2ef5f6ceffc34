import threading
from pathlib import Path

import pytest

from rolesynth_assets.cads.problems.exports import folder as export_folder
from rolesynth_assets.cads.problems.exports.folder import replaced_folder


def write(folder: Path, text: str) -> None:
    with replaced_folder(folder) as draft:
        for name in ("a", "b"):
            (draft / name).write_text(text)


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "export"
    write(folder, "old")
    (folder / "left over").touch()
    write(folder, "new")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert (folder / "a").read_text() == "new"
    assert [path.name for path in folder.parent.iterdir()] == ["export"]


def test_a_failure_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write(folder, "old")
    with pytest.raises(RuntimeError), replaced_folder(folder) as draft:
        (draft / "a").write_text("new")
        raise RuntimeError
    assert (folder / "a").read_text() == (folder / "b").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_what_a_killed_export_left_behind_is_removed(tmp_path: Path) -> None:
    draft = tmp_path / ".export.draft"
    draft.mkdir()
    (draft / "half").touch()
    write(tmp_path / "export", "new")
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == ["a", "b"]
    assert not draft.exists()


def test_the_folder_is_there_at_every_moment(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write(folder, "old")
    done = threading.Event()
    absent = 0

    def watch() -> None:
        nonlocal absent
        while not done.is_set():
            absent += not folder.is_dir()

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(30):
        write(folder, "new")
    done.set()
    watcher.join()
    assert absent == 0


def test_a_system_that_cannot_exchange_still_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_folder.ctypes, "CDLL", lambda *_, **__: object())
    write(tmp_path / "export", "old")
    write(tmp_path / "export", "new")
    assert (tmp_path / "export" / "a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
