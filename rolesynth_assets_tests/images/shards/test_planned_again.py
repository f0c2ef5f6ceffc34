"""A path planned again: files stay in their shard, others leave it or fill it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.shards.planning import PlanRules
from rolesynth_assets.images.shards.registry import (
    forget_shards,
    load_forgotten,
    load_shards,
    register_path,
    register_path_again,
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.png").write_bytes(b"x")
    return folder


@pytest.fixture
def root(tmp_path: Path, photos: Path) -> Path:
    register_path(tmp_path / "data", photos, "mine", PlanRules(shard_size=2))
    return tmp_path / "data"


def members(root: Path) -> dict[str, tuple[str, ...]]:
    return {key: shard.members for key, shard in load_shards(root).items()}


def test_nothing_changed_is_read_again_only(root: Path, photos: Path) -> None:
    before = members(root)
    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2))
    assert (found.new, found.changed, found.same) == ((), (), ("mine-0000", "mine-0001"))
    assert members(root) == before


def test_a_mended_file_takes_the_place_of_the_broken_one(root: Path, photos: Path) -> None:
    (photos / "b.png").rename(photos / "b.jpg")
    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2))
    assert (found.new, found.changed, found.same) == ((), ("mine-0000",), ("mine-0001",))
    assert members(root) == {"mine-0000": ("a.png", "b.jpg"), "mine-0001": ("c.png", "d.png")}


def test_a_missing_file_with_a_stored_image_stays_for_its_grace(root: Path, photos: Path) -> None:
    before = members(root)
    (photos / "a.png").unlink()
    (photos / "d.png").unlink()

    def stored(shard: ShardDescriptor) -> set[str]:
        return {"a.png", "b.png", "c.png"}  # d had been rejected

    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2), stored)
    assert found.missing == {"mine-0000": ("a.png",)}
    assert found.dropped == {"mine-0001": ("d.png",)}
    assert members(root) == before | {"mine-0001": ("c.png",)}

    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2))
    assert (found.missing, found.dropped) == ({}, {"mine-0000": ("a.png",)})
    assert members(root)["mine-0000"] == ("b.png",)


def test_a_shard_whose_files_are_all_missing_is_not_emptied_before(
    root: Path, photos: Path
) -> None:
    for name in "ab":
        (photos / f"{name}.png").unlink()
    found = register_path_again(
        root, photos, "mine", PlanRules(shard_size=2), lambda shard: {"a.png", "b.png"}
    )
    assert (found.emptied, found.missing) == ((), {"mine-0000": ("a.png", "b.png")})


def test_new_files_become_new_shards_where_no_shard_lost_any(root: Path, photos: Path) -> None:
    (photos / "e.png").write_bytes(b"x")
    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2))
    assert (found.new, found.changed) == (("mine-0002",), ())
    assert members(root)["mine-0002"] == ("e.png",)


def test_a_shard_without_files_is_named_and_another_path_is_left_alone(
    root: Path, photos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "photos2"
    other.mkdir()
    (other / "z.png").write_bytes(b"x")
    register_path(root, other, "other")
    for name in "cd":
        (photos / f"{name}.png").unlink()
    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2))
    assert found.emptied == ("mine-0001",)
    assert members(root)["other-0000"] == ("z.png",)


def test_forgotten_shards_come_back_with_again_alone(root: Path, photos: Path) -> None:
    forget_shards(root, ["mine-0000", "unknown"])
    assert list(load_shards(root)) == ["mine-0001"]
    assert list(load_forgotten(root)) == ["mine-0000"]
    # a sensor adds nothing
    assert register_path(root, photos, "mine", PlanRules(shard_size=2)) == []
    found = register_path_again(root, photos, "mine", PlanRules(shard_size=2))
    assert (found.changed, found.same) == (("mine-0000",), ("mine-0001",))
    assert (list(load_shards(root)), load_forgotten(root)) == (["mine-0000", "mine-0001"], {})


def test_a_tar_keeps_its_key(root: Path, photos: Path, tmp_path: Path) -> None:
    from rolesynth_assets.images.descriptor import ShardKind

    (tar := tmp_path / "more.tar").write_bytes(b"x" * 1024)
    (shard,) = register_path(root, tar, "tars")
    assert shard.kind is ShardKind.TAR
    forget_shards(root, [shard.key])
    found = register_path_again(root, tar, "another")
    assert (found.new, found.changed) == ((), ("tars-0000",))
