"""Links to folders, which people use to gather pictures of several disks."""

from __future__ import annotations

import pytest

from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.readers.members import iter_members
from rolesynth_assets.images.shards.planning import plan_shards


@pytest.fixture
def place(tmp_path, noise, encode):
    for name in ("in/a.png", "disk/b.png", "disk/deep/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(noise(len(name))))
    return tmp_path


def members(folder, left_out=None) -> list[str]:
    plan = plan_shards(folder, "x", [], left_out=left_out)
    return [member for shard in plan for member in shard.members]


def rejects(folder) -> dict[str, str]:
    return {
        member.source.removeprefix(f"{folder}/"): member.data.detail
        for shard in plan_shards(folder, "x", [])
        for member in iter_members(shard)
        if isinstance(member.data, Reject)
    }


def test_linked_folders_are_read(place):
    (place / "in" / "more").symlink_to(place / "disk")
    assert members(place / "in") == ["a.png", "more/b.png", "more/deep/c.png"]


def test_a_folder_is_read_once(place):
    (place / "disk" / "also").symlink_to(place / "disk" / "deep")
    (place / "disk" / "loop").symlink_to(place / "disk")
    (place / "in" / "one").symlink_to(place / "disk")
    (place / "in" / "two").symlink_to(place / "disk" / "deep")
    assert members(place / "in") == ["a.png", "one/b.png", "one/deep/c.png"]


def test_a_link_out_to_a_hidden_folder_is_followed(place):
    place.joinpath("in", ".store").mkdir()
    (place / "in" / ".store" / "h.png").write_bytes((place / "in" / "a.png").read_bytes())
    (place / "in" / "shown").symlink_to(place / "in" / ".store")
    assert members(place / "in") == ["a.png", "shown/h.png"]


def test_links_that_cannot_be_followed_are_named(place):
    (place / "in" / "around").symlink_to(place)
    (place / "in" / "gone").symlink_to("nowhere")
    (place / "in" / "gone.jpg").symlink_to("nowhere")
    (place / "in" / "gone.v2").symlink_to("nowhere")
    left_out: list[str] = []
    assert members(place / "in", left_out) == ["a.png", "around", "gone", "gone.jpg"]
    assert left_out == [f"{place}/in/gone.v2 is left out: a link that leads to nothing."]
    found = rejects(place / "in")
    assert "by its own path" in found.pop("around")
    assert found == {"gone": "No such file or directory", "gone.jpg": "No such file or directory"}
