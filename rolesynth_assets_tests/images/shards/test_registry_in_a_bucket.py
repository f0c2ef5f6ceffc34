from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rolesynth_assets.files.object_path import data_path
from rolesynth_assets.images.shards.locks import changing_shards, reading_images
from rolesynth_assets.images.shards.planning import PlanRules
from rolesynth_assets.images.shards.registry import (
    forget_shards,
    load_forgotten,
    load_shards,
    register_path,
    register_path_again,
)
from rolesynth_assets_tests.defs.small_graph import write_pictures

RULES = PlanRules(shard_size=2)


def test_shards_are_registered_forgotten_and_planned_again(
    bucket_root: str, tmp_path: Path
) -> None:
    root, pictures = data_path(bucket_root), write_pictures(tmp_path / "pictures", range(4))
    first = register_path(root, pictures, "scenes", RULES)
    assert (
        list(load_shards(root)) == [shard.key for shard in first] == ["scenes-0000", "scenes-0001"]
    )
    assert load_shards(root)["scenes-0000"] == first[0]
    assert first[0].uri == str(pictures)
    assert register_path(root, pictures, "scenes", RULES) == []
    forget_shards(root, ["scenes-0000", "unknown"])
    assert list(load_shards(root)) == ["scenes-0001"]
    assert load_forgotten(root) == {"scenes-0000": first[0]}
    again = register_path_again(root, pictures, "scenes", RULES)
    assert (again.changed, again.same) == (("scenes-0000",), ("scenes-0001",))
    assert load_forgotten(root) == {}


def test_hosts_that_register_at_once_give_each_file_one_shard(
    bucket_root: str, tmp_path: Path
) -> None:
    pictures = write_pictures(tmp_path / "pictures", range(6))

    def register(_: int) -> list[str]:
        found = register_path(data_path(bucket_root), pictures, "scenes", RULES)
        return [shard.key for shard in found]

    with ThreadPoolExecutor(3) as threads:
        registered = sorted(key for keys in threads.map(register, range(3)) for key in keys)
    shards = load_shards(bucket_root)
    assert registered == sorted(shards) and len(shards) == 3
    assert len({member for shard in shards.values() for member in shard.members}) == 6


def test_a_block_within_a_block_of_the_same_thread_is_allowed(bucket_root: str) -> None:
    with changing_shards(bucket_root), changing_shards(data_path(bucket_root)):
        pass
    with changing_shards(bucket_root):
        pass


def test_images_are_read_in_by_one_at_a_time(
    bucket_root: str, caplog: pytest.LogCaptureFixture
) -> None:
    order: list[str] = []

    def second() -> None:
        with reading_images(bucket_root, "shard b"):
            order.append("second")

    with ThreadPoolExecutor(1) as threads:
        with reading_images(bucket_root, "shard a"):
            waiting = threads.submit(second)
            while "shard b" not in caplog.text and not waiting.done():
                pass
            order.append("first")
        waiting.result()
    assert order == ["first", "second"]
