from __future__ import annotations

from pathlib import Path

import pytest

from rolesynth_assets.images.rules import IngestRules
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.images.sync import UnknownShardError, sync_shard
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.store import Store


@pytest.fixture
def folder(tmp_path: Path, noise, encode) -> Path:
    """Three images, a text file posing as one, and a registered shard of them all."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(encode(noise(seed)))
    (folder / "note.png").write_bytes(b"no image at all\n")
    register_path(tmp_path, folder, "photos")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_files_become_rows_and_reasons(folder: Path, store: Store) -> None:
    calls: list[tuple[int, int]] = []
    report = sync_shard(
        store, folder.parent, "photos-0000", progress=lambda done, of: calls.append((done, of))
    )
    assert (report.images, report.rejects) == (3, {"not_an_image": 1})
    assert calls[-1] == (4, 4)
    files = {image_id(path.read_bytes()) for path in folder.glob("[0-9].png")}
    assert store.keys("images", {"shard": "photos-0000"}) == files
    rejects = store.read("image_rejects", {"shard": "photos-0000"}).to_pylist()
    assert [(r["reason"], Path(r["source"]).name) for r in rejects] == [
        ("not_an_image", "note.png")
    ]


def test_the_same_files_leave_the_same_digest(folder: Path, store: Store) -> None:
    sync_shard(store, folder.parent, "photos-0000")
    tables = ("images", "image_rejects")
    before = [store.digest(table, {"shard": "photos-0000"}) for table in tables]
    sync_shard(store, folder.parent, "photos-0000")
    assert [store.digest(table, {"shard": "photos-0000"}) for table in tables] == before
    assert store.count("images") == 3


def test_rows_of_files_that_changed_or_went_are_removed(
    folder: Path, store: Store, noise, encode
) -> None:
    sync_shard(store, folder.parent, "photos-0000")
    gone = image_id((folder / "0.png").read_bytes())
    (folder / "0.png").unlink()
    (folder / "note.png").write_bytes(encode(noise(9)))  # the note became an image
    report = sync_shard(
        store, folder.parent, "photos-0000", rules=IngestRules(missing_grace_days=0)
    )
    keys = store.keys("images", {"shard": "photos-0000"})
    assert gone not in keys
    assert image_id((folder / "note.png").read_bytes()) in keys
    assert len(keys) == report.images == 3
    reasons = store.read("image_rejects", {"shard": "photos-0000"}, ["reason"])
    assert reasons["reason"].to_pylist() == ["source_missing"]


def test_other_shards_are_left_alone(folder: Path, store: Store, noise, encode) -> None:
    sync_shard(store, folder.parent, "photos-0000")
    before = store.digest("images", {"shard": "photos-0000"})
    (folder / "late.png").write_bytes(encode(noise(7)))
    register_path(folder.parent, folder, "photos")
    assert sync_shard(store, folder.parent, "photos-0001").images == 1
    assert store.digest("images", {"shard": "photos-0000"}) == before
    assert store.count("images") == 4


def test_an_unknown_shard_is_named_with_the_known_ones(folder: Path, store: Store) -> None:
    with pytest.raises(UnknownShardError, match=r"'videos-0000'.*rolesynth ingest.*photos-0000"):
        sync_shard(store, folder.parent, "videos-0000")
