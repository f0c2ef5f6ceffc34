from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from rolesynth_assets.benchmarks.contamination import benchmark_images
from rolesynth_assets.benchmarks.datasets import read_classification, read_retrieval
from rolesynth_assets.benchmarks.tasks import load_tasks
from rolesynth_assets.embedded.world.look_alikes import look_alike
from rolesynth_assets.embedded.world.object_kinds import KINDS
from rolesynth_assets.embedded.world.scenes import draw, encode, sample_scene
from rolesynth_assets.embedded.world.write import (
    HELD_OUT,
    TEMPLATES,
    WorldSize,
    read_truth,
    unicode_name,
    write_dev_splits,
    write_world,
)
from rolesynth_assets.images.shards.registry import register_path
from rolesynth_assets.images.sync import sync_shard
from rolesynth_assets.store.lance.store import Store

SIZE = WorldSize(seed=7, shards=2, images_per_shard=5, held_out=6, glyphs_per_kind=2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    assert write_world(folder, SIZE) == folder / "embedded_world" / "shards"
    return folder


@pytest.fixture(scope="module")
def store(root: Path) -> Store:
    """The world's shards, ingested as a user's would be."""
    shards = register_path(root, root / "embedded_world" / "shards", "scenes")
    assert [s.key for s in shards] == ["scenes-0000", "scenes-0001"]
    store = Store(root)
    for shard in shards:
        report = sync_shard(store, root, shard.key)
        assert report.images == SIZE.images_per_shard
        assert report.rejects == {"truncated": 1, "not_an_image": 1}
    return store


def files_of(root: Path) -> dict[str, tuple[int, str]]:
    """Time of change and digest of every file of the world."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mtime_ns,
            sha256(path.read_bytes()).hexdigest(),
        )
        for part in ("embedded_world", "benchmarks")
        for path in sorted((root / part).rglob("*"))
        if path.is_file()
    }


def test_the_truth_is_keyed_by_the_ingested_images(root: Path, store: Store) -> None:
    truth = read_truth(root)
    assert truth.keys() == store.keys("images")
    assert len(truth) == 10
    assert list(truth.values()) == [sample_scene(SIZE.seed, index) for index in range(10)]
    shard = store.read("images", {"shard": "scenes-0001"}, ["image_id", "source"]).to_pylist()
    assert {row["image_id"] for row in shard} == set(list(truth)[5:])
    assert sorted(row["source"].split("::")[1] for row in shard) == [
        f"scene-{index:06d}.jpg" for index in range(5, 10)
    ]


def test_pixels_are_all_that_the_shards_tell(root: Path) -> None:
    for path in (root / "embedded_world" / "shards").iterdir():
        with tarfile.open(path) as tar:
            assert {Path(name).suffix for name in tar.getnames()} <= {".jpg", ".png"}


def test_benchmarks_are_in_the_layout(root: Path) -> None:
    tasks = load_tasks()
    scenes = [sample_scene(SIZE.seed, HELD_OUT + index) for index in range(SIZE.held_out)]
    alike = [look_alike(s, SIZE.seed, HELD_OUT + index) for index, s in enumerate(scenes)]
    in_pairs = [scene for pair in zip(scenes, alike, strict=True) for scene in pair]
    for name, captions, gallery in (("scenes_long", 2, in_pairs), ("scenes_short", 1, scenes)):
        found = read_retrieval(tasks[name], root)
        assert len(found.images) == SIZE.held_out
        assert len(found.captions) == captions * SIZE.held_out
        for scene, sample in zip(gallery, found.images, strict=False):
            assert sample.image.read() == encode(draw(scene))
    glyphs = read_classification(tasks["glyphs"], root)
    assert len(glyphs.images) == 2 * len(KINDS)
    assert sorted(glyphs.labels) == sorted(2 * list(range(len(KINDS))))
    assert glyphs.templates == TEMPLATES


def test_class_names_are_words_written_by_people_and_differ() -> None:
    names = [unicode_name(kind.glyph) for kind in KINDS]
    assert len(set(names)) == len(KINDS)
    assert names[0] == "dog face"
    assert all(name.replace(" ", "").replace("-", "").isalpha() for name in names), names


def test_no_held_out_image_is_in_training(root: Path, store: Store) -> None:
    held_out = benchmark_images(load_tasks(), root)
    assert held_out.keys() == {"scenes_long", "scenes_short", "glyphs"}
    assert len(held_out["scenes_long"]) == len(held_out["scenes_short"]) == SIZE.held_out
    assert len(held_out["scenes_long"] & held_out["scenes_short"]) == SIZE.held_out // 2
    for ids in held_out.values():
        assert not ids & store.keys("images")


def test_the_dev_splits_are_other_scenes_and_written_once(
    root: Path, store: Store, tmp_path: Path
) -> None:
    write_dev_splits(tmp_path, SIZE)
    dev, test = (benchmark_images(load_tasks(), folder) for folder in (tmp_path, root))
    assert dev.keys() == {"scenes_long_dev", "scenes_short_dev"}
    for ids in dev.values():
        assert len(ids) == SIZE.held_out
        assert not ids & (test["scenes_long"] | test["scenes_short"] | store.keys("images"))
    before = files_of(tmp_path)
    write_dev_splits(tmp_path, SIZE)
    assert files_of(tmp_path) == before


def test_writing_again_writes_nothing(root: Path) -> None:
    before = files_of(root)
    write_world(root, SIZE)
    assert files_of(root) == before


def test_a_half_written_world_is_written_anew_and_the_same(tmp_path: Path) -> None:
    size = replace(SIZE, images_per_shard=2, held_out=2, glyphs_per_kind=1)
    write_world(tmp_path, size)
    whole = {name: content for name, (_, content) in files_of(tmp_path).items()}
    (tmp_path / "embedded_world" / "world.json").unlink()  # the last file to be written
    (tmp_path / "embedded_world" / "shards" / "scenes-0001.tar").write_bytes(b"half")
    write_world(tmp_path, size)
    assert {name: content for name, (_, content) in files_of(tmp_path).items()} == whole


def test_a_world_of_another_size_replaces_the_old_one(tmp_path: Path) -> None:
    small = WorldSize(seed=7, shards=2, images_per_shard=1, held_out=2, glyphs_per_kind=1)
    write_world(tmp_path, small)
    shards = write_world(tmp_path, replace(small, shards=1, seed=8))
    assert [path.name for path in shards.iterdir()] == ["scenes-0000.tar"]
    assert list(read_truth(tmp_path).values()) == [sample_scene(8, 0)]
    assert json.loads((shards.parent / "world.json").read_text())["seed"] == 8


def test_no_world_no_truth(tmp_path: Path) -> None:
    assert read_truth(tmp_path) == {}
