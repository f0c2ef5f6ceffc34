from __future__ import annotations

import json
import os
import threading
import time

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from rolesynth_assets.errors import InputError
from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind
from rolesynth_assets.images.shards.planning import PlanRules, plan_shards
from rolesynth_assets.images.shards.registry import load_shards, register, register_path


@pytest.fixture
def photos(tmp_path, noise, encode):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for seed, name in enumerate(["c.png", "a.png", "sub/b.png", "d.data"]):
        (folder / name).write_bytes(encode(noise(seed)))
    (folder / "broken.jpg").write_bytes(b"<html>")  # named as an image: reported, not passed over
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(encode(noise(9)))
    (folder / "e.png.part").write_bytes(encode(noise(9)))
    os.mkfifo(folder / "pipe.png")
    (folder / "dangling.png").symlink_to("nowhere.png")
    return folder


ORDER = ["a.png", "broken.jpg", "c.png", "d.data", "dangling.png", "sub/b.png"]


def test_a_folder_is_cut_in_sorted_order(photos):
    plan = plan_shards(photos, "trip", [], PlanRules(shard_size=2))
    assert [shard.key for shard in plan] == ["trip-0000", "trip-0001", "trip-0002"]
    assert [list(shard.members) for shard in plan] == [ORDER[:2], ORDER[2:4], ORDER[4:]]
    assert {(shard.kind, shard.uri) for shard in plan} == {(ShardKind.FOLDER, str(photos))}
    assert [shard.expected_members for shard in plan] == [2, 2, 2]


def test_planning_again_finds_nothing_and_new_files_become_new_shards(photos, noise, encode):
    first = plan_shards(photos, "trip", [], PlanRules(shard_size=3))
    assert plan_shards(photos, "trip", first, PlanRules(shard_size=3)) == []
    # another size moves nothing
    assert plan_shards(photos, "trip", first, PlanRules(shard_size=1)) == []
    assert plan_shards(photos / "sub", "other", first) == []  # known by its path, not its name
    (photos / "aa.png").write_bytes(encode(noise(20)))
    second = plan_shards(photos, "trip", first, PlanRules(shard_size=3))
    assert [(shard.key, shard.members) for shard in second] == [("trip-0002", ("aa.png",))]
    assert plan_shards(photos, "trip", first + second) == []


def test_fresh_files_wait(photos):
    assert plan_shards(photos, "trip", [], PlanRules(min_age_s=3600)) == []
    old = time.time() - 7200
    os.utime(photos / "c.png", (old, old))
    [shard] = plan_shards(photos, "trip", [], PlanRules(min_age_s=3600))
    assert shard.members == ("c.png",)


def test_containers_below_a_folder(tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "00001.tar").write_bytes(b"")
    (folder / "00000.tar.gz").write_bytes(b"")
    pq.write_table(pa.table({"jpg": [b"x"] * 5}), folder / "rows.parquet")
    pq.write_table(pa.table({"url": ["u"]}), folder / "00000.parquet")  # img2dataset's metadata
    lance.write_dataset(pa.table({"image": [b"x"] * 3}), folder / "set.lance")
    plan = plan_shards(folder, "web", [], PlanRules(shard_size=2))
    assert [(s.kind, s.uri.rsplit("/", 1)[1], s.first_row, s.rows) for s in plan] == [
        ("tar", "00000.tar.gz", 0, None),
        ("tar", "00001.tar", 0, None),
        ("parquet", "rows.parquet", 0, 2),
        ("parquet", "rows.parquet", 2, 2),
        ("parquet", "rows.parquet", 4, 1),
        ("lance", "set.lance", 0, 2),
        ("lance", "set.lance", 2, 1),
    ]
    assert [shard.column for shard in plan] == [None, None, *["jpg"] * 3, *["image"] * 2]
    assert plan_shards(folder, "web", plan, PlanRules(shard_size=2)) == []
    lance.write_dataset(pa.table({"image": [b"y"]}), folder / "set.lance", mode="append")
    [added] = plan_shards(folder, "web", plan, PlanRules(shard_size=2))
    assert (added.key, added.first_row, added.rows) == ("web-0007", 3, 1)
    assert added.version != plan[-1].version


def test_single_files(tmp_path, photos):
    [shard] = plan_shards(photos / "a.png", "one", [])
    assert (shard.uri, shard.members) == (str(photos), ("a.png",))
    pq.write_table(pa.table({"photo": [b"x"]}), tmp_path / "x.parquet")
    [shard] = plan_shards(tmp_path / "x.parquet", "one", [], PlanRules(column="photo"))
    assert shard.column == "photo"
    with pytest.raises(ValueError, match=r"photo \(binary\)"):
        plan_shards(tmp_path / "x.parquet", "one", [])


def test_paths_without_images_say_so(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no .*nowhere"):
        plan_shards(tmp_path / "nowhere", "x", [])
    (tmp_path / "notes.txt").write_text("no image")
    pq.write_table(pa.table({"image": pa.array([], pa.binary())}), tmp_path / "none.parquet")
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "none.parquet"):
        with pytest.raises(ValueError, match="holds no image"):
            plan_shards(path, "x", [])
    (tmp_path / "bad.parquet").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"bad\.parquet is not a readable parquet"):
        plan_shards(tmp_path / "bad.parquet", "x", [])


@pytest.mark.parametrize(
    "name",
    ["", "a|b", "a...b", "a\nb", "a\n", "a\tb", "../up", "a/b", ".a", "a-", "a b", "x" * 101],
)
def test_names_that_are_no_partition_key(photos, name):
    with pytest.raises(ValueError, match="cannot be a partition key"):
        plan_shards(photos, name, [])


def test_a_name_of_dots_and_hyphens(photos):
    [shard] = plan_shards(photos, "my-photos.v1-0000", [])
    assert shard.key == "my-photos.v1-0000-0000"
    longest = plan_shards(photos, "x" * 100, [])[0]
    assert plan_shards(photos, "x" * 100, [longest]) == []


def test_numbers_go_on_past_four_digits(photos):
    last = ShardDescriptor(key="trip-9999", name="trip", kind=ShardKind.TAR, uri="/x.tar")
    assert plan_shards(photos, "trip", [last])[0].key == "trip-10000"


def test_descriptors_are_complete():
    for fields in (
        {"kind": "parquet", "rows": 1},
        {"kind": "lance", "column": "image"},
        {"kind": "folder"},
        {"kind": "tar", "members": ("a",)},
        {"kind": "tar", "first_row": -1},
        {"kind": "tar", "key": "a|b"},
        {"kind": "tar", "more": 1},
    ):
        with pytest.raises(ValidationError):
            ShardDescriptor.model_validate({"key": "a-0000", "name": "a", "uri": "/x", **fields})


def test_the_registry_is_written_once(tmp_path, photos):
    root = tmp_path / "data"
    assert load_shards(root) == {}
    plan = plan_shards(photos, "trip", [], PlanRules(shard_size=2))
    assert register(root, plan) == ["trip-0000", "trip-0001", "trip-0002"]
    assert list(load_shards(root).values()) == plan
    before = {path: path.stat().st_mtime_ns for path in (root / "shards").glob("*.json")}
    assert register(root, plan) == []
    assert before == {path: path.stat().st_mtime_ns for path in (root / "shards").glob("*.json")}
    written = json.loads((root / "shards" / "trip-0001.json").read_text())
    assert written["members"] == ORDER[2:4]
    assert sorted(os.listdir(root / "shards")) == [
        ".lock",
        "trip-0000.json",
        "trip-0001.json",
        "trip-0002.json",
    ]


def test_a_registered_shard_never_changes(tmp_path, photos):
    first, second, third = plan_shards(photos, "trip", [], PlanRules(shard_size=2))
    register(tmp_path, [second])
    other = second.model_copy(update={"members": ("else.png",)})
    with pytest.raises(ValueError, match="'trip-0001' is already registered"):
        register(tmp_path, [first, other, third])
    assert list(load_shards(tmp_path)) == ["trip-0001"]  # nothing of the call was stored
    with pytest.raises(ValueError, match="already registered"):
        register(tmp_path, [first, first.model_copy(update={"uri": "/y"})])


def test_a_kill_while_writing_leaves_the_registry_whole(tmp_path, photos, monkeypatch):
    plan = plan_shards(photos, "trip", [], PlanRules(shard_size=3))

    def killed(source: str, target: object) -> None:
        if "0001" in str(target):
            raise KeyboardInterrupt
        os.rename(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("os.replace", killed)
        register(tmp_path, plan)
    assert list(load_shards(tmp_path)) == ["trip-0000"]
    assert register(tmp_path, plan) == ["trip-0001"]
    assert list(load_shards(tmp_path).values()) == plan


def test_a_broken_registry_file_is_named(tmp_path, photos):
    register_path(tmp_path, photos, "trip")
    (tmp_path / "shards" / "trip-0000.json").write_text("{")
    with pytest.raises(InputError, match=r"trip-0000\.json is not a shard description"):
        load_shards(tmp_path)


def test_two_processes_that_plan_at_once_share_the_files_out(tmp_path, photos):
    results: list[list[ShardDescriptor]] = []

    def run() -> None:
        results.append(register_path(tmp_path, photos, "trip", PlanRules(shard_size=2)))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(new) for new in results) == [0, 0, 0, 3]
    members = [member for shard in load_shards(tmp_path).values() for member in shard.members]
    assert members == ORDER


def test_hidden_files_are_no_shards(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "._a-0000.json").write_bytes(bytes(4))
    assert load_shards(tmp_path) == {}
