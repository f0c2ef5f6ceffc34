"""Files, folders and tars that are gone for a while: nothing is lost, and nothing is paid twice."""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rolesynth_assets.images import missing
from rolesynth_assets.images.missing import SourceGoneError, kept_until, members_with_images
from rolesynth_assets.images.rules import IngestRules
from rolesynth_assets.images.shards.portable import base_of
from rolesynth_assets.images.shards.registry import (
    load_shards,
    register_path,
    register_path_again,
)
from rolesynth_assets.images.sync import sync_shard
from rolesynth_assets.store.lance.store import Store

SHARD = {"shard": "photos-0000"}


@pytest.fixture
def root(tmp_path: Path, noise, encode) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(encode(noise(seed)))
    root = tmp_path / "data"
    register_path(root, folder, "photos")
    sync_shard(Store(root), root, "photos-0000")
    return root


def details(store: Store) -> list[tuple[str, str]]:
    rows = store.read("image_rejects", SHARD).to_pylist()
    return [(row["reason"], row["detail"]) for row in rows]


@pytest.fixture
def clock(monkeypatch):
    """Sets the time that counts as now, in days from today."""

    class Clock(datetime):
        days = 0.0

        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=cls.days)

    monkeypatch.setattr(missing, "datetime", Clock)
    return Clock


def test_a_missing_file_keeps_its_row_until_the_grace_is_over(root, clock):
    store, file = Store(root), root.parent / "photos" / "0.png"
    before, data = store.digest("images", SHARD), file.read_bytes()
    file.unlink()
    report = sync_shard(store, root, "photos-0000")
    assert (report.images, report.kept_missing) == (2, 1)
    assert store.digest("images", SHARD) == before
    [(reason, detail)] = details(store)
    today = datetime.now(UTC).date().isoformat()
    assert reason == "source_missing"
    assert detail.startswith(f"missing since {today}") and "its row is kept until" in detail
    clock.days = 13.9
    assert sync_shard(store, root, "photos-0000").kept_missing == 1
    assert details(store)[0][1] == detail  # counted from the first time
    clock.days = 14.1
    assert sync_shard(store, root, "photos-0000").kept_missing == 0
    assert store.count("images") == 2
    assert "its row was removed" in details(store)[0][1]
    file.write_bytes(data)
    assert sync_shard(store, root, "photos-0000").images == 3
    assert store.digest("images", SHARD) == before and details(store) == []


def test_a_path_planned_again_gives_missing_files_their_grace(root, clock):
    store, photos = Store(root), root.parent / "photos"

    def again() -> dict:
        found = register_path_again(
            root,
            photos,
            "photos",
            with_rows=lambda shard: members_with_images(store, shard, base_of(root)),
        )
        sync_shard(store, root, "photos-0000")
        return dict(found.missing) | dict(found.dropped)

    (photos / "0.png").unlink()
    assert again() == {"photos-0000": ("0.png",)}
    assert store.count("images") == 3
    until = kept_until(store, "photos-0000", 14)
    assert timedelta(days=13.9) < until - datetime.now(UTC) < timedelta(days=14)
    clock.days = 10
    assert again() == {"photos-0000": ("0.png",)}
    assert abs(kept_until(store, "photos-0000", 14) - until) < timedelta(seconds=2)
    clock.days = 14.1
    again()
    assert store.count("images") == 2
    assert again() == {"photos-0000": ("0.png",)}  # now it leaves the shard
    assert load_shards(root)["photos-0000"].members == ("1.png", "2.png")
    assert details(store) == []


def test_a_file_with_other_content_is_not_missing(root, noise, encode):
    store = Store(root)
    (root.parent / "photos" / "0.png").write_bytes(encode(noise(9)))
    assert sync_shard(store, root, "photos-0000").kept_missing == 0
    assert store.count("images") == 3


def test_no_grace_removes_at_once(root):
    (root.parent / "photos" / "0.png").unlink()
    sync_shard(Store(root), root, "photos-0000", rules=IngestRules(missing_grace_days=0))
    assert Store(root).count("images") == 2


def test_a_vanished_folder_removes_nothing(root):
    folder = root.parent / "photos"
    folder.rename(root.parent / "away")
    with pytest.raises(SourceGoneError, match=r"photos-0000: .*photos does not exist, so no row"):
        sync_shard(Store(root), root, "photos-0000", rules=IngestRules(missing_grace_days=0))
    assert Store(root).count("images") == 3
    folder.mkdir()  # a mount point without its disk
    assert sync_shard(Store(root), root, "photos-0000").kept_missing == 3
    folder.rmdir()
    (root.parent / "away").rename(folder)
    report = sync_shard(Store(root), root, "photos-0000")
    assert (report.images, report.kept_missing, report.rejects) == (3, 0, {})


def test_a_vanished_tar_removes_nothing(tmp_path, root):
    tar = tmp_path / "set.tar"
    with tarfile.open(tar, "w") as file:
        file.add(root.parent / "photos" / "0.png", "a.png")
    [shard] = register_path(tmp_path / "other", tar, "set")
    store = Store(tmp_path / "other")
    sync_shard(store, tmp_path / "other", shard.key)
    tar.rename(tmp_path / "away.tar")
    with pytest.raises(SourceGoneError, match="rolesynth forget set-0000"):
        sync_shard(store, tmp_path / "other", shard.key)
    assert store.count("images") == 1
