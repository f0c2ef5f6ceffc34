from pathlib import Path

import pytest

from rolesynth_assets.files import object_path
from rolesynth_assets.files.atomic_files import replaced_folder, write_bytes
from rolesynth_assets.files.object_path import data_path
from rolesynth_assets.files.whole_folders import local_folder
from rolesynth_assets.lineage.withdraw.byte_search import files_with

NEEDLE = b"piece of an image"


def test_a_bucket_and_the_copies_of_this_machine_are_searched(
    bucket_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_path, "STREAM_BYTES", 16)  # no part holds a whole needle
    root = data_path(bucket_root)
    write_bytes(root / "lance" / "a.lance", b"." * 11 + NEEDLE + b"." * 40)
    write_bytes(root / "lance" / "b.lance", b"." * 70)
    with replaced_folder(root / "exports" / "math") as draft:
        (draft / "train.parquet").write_bytes(NEEDLE)
    copy = local_folder(root / "exports" / "math")
    found = [str(path) for path in files_with(root, [NEEDLE])]
    assert found[-1] == str(copy / "train.parquet")
    assert [path.removeprefix(bucket_root).rpartition("/")[2] for path in found[:-1]] == [
        *("train.parquet", "a.lance")
    ]


def test_a_folder_is_searched_but_not_its_decoded_pixels(tmp_path: Path) -> None:
    for name in ("reports/page.md", "caches/pixels/g/rows"):
        write_bytes(tmp_path / name, NEEDLE)
    assert files_with(tmp_path, [NEEDLE]) == [tmp_path / "reports" / "page.md"]
