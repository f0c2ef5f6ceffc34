from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.lance.schemas import IMAGES
from rolesynth_assets.store.lance.store import Store

A, B = {"shard": "s0"}, {"shard": "s1"}


def image(name: str) -> bytes:
    return f"the only bytes of {name} ".encode() * 40


def rows(names: list[str], shard: str) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "image_id": name,
                "shard": shard,
                "source": name,
                "media_type": "image/png",
                "width": 8,
                "height": 8,
                "bytes": 1,
                "data": image(name),
                "ordinal": 0,
            }
            for name in names
        ],
        schema=IMAGES.schema,
    )


@pytest.fixture
def images(tmp_path: Path) -> Store:
    store = Store(tmp_path)
    store.append("images", A, rows(["a", "b", "both"], "s0"))
    store.append("images", B, rows(["c", "both"], "s1"))
    return store


def files_with(store: Store, data: bytes) -> int:
    files = [path for path in Path(store.root).rglob("*") if path.is_file()]
    return sum(data in path.read_bytes() for path in files)


def test_rows_are_removed_from_every_partition(images: Store) -> None:
    before = images.version("images")
    assert images.remove("images", "image_id IN ('both', 'absent')") == 2
    assert images.keys("images") == {"a", "b", "c"}
    assert images.keys("images", A) == {"a", "b"}
    assert images.count("images", version=before) == 5


def test_removing_nothing_commits_nothing(images: Store) -> None:
    before = images.version("images")
    assert images.remove("images", "image_id = 'absent'") == 0
    assert images.version("images") == before
    assert images.remove("captions", "image_id = 'a'") == 0  # never written to


def test_removed_bytes_are_gone_only_after_versions_are_forgotten(images: Store) -> None:
    images.compact("images")
    images.append("images", A, rows(["b"], "s0"))  # written once more, as a merge
    images.remove("images", "image_id = 'b'")
    assert files_with(images, image("b")) > 0
    digest = images.digest("images")
    left = images.drop_deleted("images")
    assert files_with(images, image("b")) > 0  # earlier versions have it still
    assert images.forget_versions("images") > 0
    assert files_with(images, image("b")) == 0
    assert files_with(images, image("a")) == 1
    assert images.versions("images") == [left] == [images.version("images")]
    assert images.digest("images") == digest
    assert images.keys("images", A) == {"a", "both"}
    with pytest.raises(MissingVersionError, match="'images' has no version 1"):
        images.read("images", version=1)


def test_forgotten_tables_are_written_and_indexed_as_before(images: Store) -> None:
    images.compact("images")
    images.remove("images", "image_id = 'c'")
    images.drop_deleted("images")
    images.forget_versions("images")
    images.append("images", B, rows(["d"], "s1"))
    assert images.count("images", where="image_id = 'd'") == 1
    assert images.count("images", where="image_id = 'c'") == 0
    assert images.image_bytes(["both", "d"], "s1")["d"] == image("d")


def test_only_files_with_deleted_rows_are_rewritten(images: Store) -> None:
    images.append("images", A, rows(["d", "e"], "s0"))
    before = {path.name for path in Path(images.root).glob("lance/images.lance/data/*")}
    images.remove("images", "image_id = 'c'")
    images.drop_deleted("images")
    images.forget_versions("images")
    after = {path.name for path in Path(images.root).glob("lance/images.lance/data/*")}
    assert len(before) == len(after) == 3
    assert len(before & after) == 2  # the files without a deleted row are those of before
    images.drop_deleted("images")  # nothing is deleted: nothing is written
    assert {path.name for path in Path(images.root).glob("lance/images.lance/data/*")} == after
    assert images.keys("images") == {"a", "b", "both", "d", "e"}


def test_kept_versions_outlive_the_others(images: Store) -> None:
    images.keep_version("images", 1)
    images.keep_version("images", 1)  # twice is once
    images.remove("images", "image_id = 'c'")
    images.forget_versions("images")
    assert images.versions("images") == [images.version("images"), 1]
    assert images.count("images", version=1) == 3
    images.release_versions("images", {1}, now=True)
    images.forget_versions("images")
    assert 1 in images.versions("images")
    images.release_versions("images", ())
    images.forget_versions("images")
    assert 1 in images.versions("images")  # it was kept just now
    images.release_versions("images", (), now=True)
    images.forget_versions("images")
    assert images.versions("images") == [images.version("images")]
