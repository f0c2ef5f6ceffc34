from pathlib import Path

import pytest

from rolesynth_assets.files.atomic_files import replaced_folder, write_bytes, write_text


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


def test_a_kill_between_the_two_renames_loses_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write(folder, "old")
    folder.rename(tmp_path / ".export.old")
    (tmp_path / ".export.draft").mkdir()
    with pytest.raises(RuntimeError), replaced_folder(folder):
        raise RuntimeError
    assert (folder / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_failed_second_rename_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename = tmp_path / "export", Path.rename
    write(folder, "old")

    def refused(self: Path, target: Path) -> Path:
        if self.name == ".export.draft":
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(OSError, match="no"):
        write(folder, "new")
    assert (folder / "b").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "deep" / "file"
    write_bytes(path, b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new, longer")
    assert path.read_bytes() == b"old"
    assert [path.name for path in path.parent.iterdir()] == ["file"]


def test_a_link_stays_a_link_and_its_folder_is_replaced(tmp_path: Path) -> None:
    link, folder = tmp_path / "link", tmp_path / "disk" / "export"
    link.symlink_to(folder)
    for text in ("old", "new", "newest"):
        write(link, text)
        assert (folder / "a").read_text() == text
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]
    assert [path.name for path in folder.parent.iterdir()] == ["export"]
