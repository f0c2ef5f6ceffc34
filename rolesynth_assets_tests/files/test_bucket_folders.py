import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rolesynth_assets.files import bucket_folders, cache
from rolesynth_assets.files.atomic_files import replaced_folder
from rolesynth_assets.files.bucket_folders import LISTED, local_copy, read_list
from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.files.whole_folders import local_folder


def write(folder: ObjectPath, text: str, names: tuple[str, ...] = ("a", "deep/b")) -> None:
    with replaced_folder(folder) as draft:
        for name in names:
            (draft / name).parent.mkdir(exist_ok=True)
            (draft / name).write_text(f"{text} {name}")


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@pytest.fixture
def folder(bucket_root: str) -> ObjectPath:
    return ObjectPath.of(bucket_root) / "checkpoints" / "base" / "seed-0"


def test_a_folder_is_replaced_as_a_whole(folder: ObjectPath) -> None:
    with pytest.raises(FileNotFoundError):
        local_folder(folder)
    write(folder, "old")
    old = local_folder(folder)
    write(folder, "new", ("a",))
    assert content(local_folder(folder)) == {"a": "new a"}
    assert content(old) == {"a": "old a", "deep/b": "old deep/b"}
    listed = read_list(folder)
    assert listed is not None
    objects = {str(path.relative_to(folder)) for path in folder.objects()}
    assert objects == {LISTED, f"{listed.below}/a"}


def test_a_failure_leaves_the_old_folder(folder: ObjectPath, tmp_path: Path) -> None:
    write(folder, "old")
    with pytest.raises(RuntimeError), replaced_folder(folder) as draft:
        (draft / "a").write_text("new")
        raise RuntimeError
    assert content(local_folder(folder))["a"] == "old a"
    assert not list((tmp_path / "cache" / "drafts").iterdir())


def test_nobody_sees_half_a_folder(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "old")

    def killed(self: ObjectPath, content: bytes) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ObjectPath, "write_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            write(folder, "new")
    assert content(local_folder(folder))["a"] == "old a"
    write(folder, "newer")  # which also removes what the killed one left
    assert content(local_folder(folder))["a"] == "newer a"
    assert len(list(folder.objects())) == 3


def test_a_reader_goes_on_with_the_folder_that_replaces_its_own(
    folder: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, "old")
    listed = read_list(folder)
    write(folder, "new")
    answers = iter([listed])
    monkeypatch.setattr(
        bucket_folders, "read_list", lambda of: next(answers, None) or read_list(of)
    )
    assert content(local_copy(folder))["a"] == "new a"


def test_several_processes_may_fetch_a_folder_at_once(folder: ObjectPath) -> None:
    write(folder, "x")
    with ThreadPoolExecutor(6) as threads:
        copies = set(threads.map(lambda _: local_copy(folder), range(6)))
    (copy,) = copies
    assert content(copy)["deep/b"] == "x deep/b"
    assert list(copy.parent.iterdir()) == [copy]


def test_a_file_that_somebody_replaced_by_hand_is_refused(folder: ObjectPath) -> None:
    write(folder, "x")
    listed = read_list(folder)
    assert listed is not None
    (folder / listed.below / "a").write_bytes(b"other")
    with pytest.raises(StorageError, match=r"is not the file that folder\.json describes"):
        local_copy(folder)


def test_copies_make_room_for_new_ones(
    bucket_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_in_use", cache._Cache(None, 30))
    folders = [ObjectPath.of(bucket_root) / f"f{i}" for i in range(4)]
    for each in folders:
        write(each, f"{'x' * 10}{each.name}", ("a",))
    copies = []
    for age, each in enumerate(folders[:3]):
        copies.append(local_folder(each))
        used = time.time() - cache.IN_USE_S * 3 + age
        os.utime(copies[-1], (used, used))
    local_folder(folders[3])
    assert not copies[0].exists() and not copies[1].exists()
    assert copies[2].exists() and content(local_folder(folders[3]))
