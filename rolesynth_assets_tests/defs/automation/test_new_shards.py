from pathlib import Path

import dagster as dg
import pytest

from rolesynth_assets.defs.automation import new_shards
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.images.places.buckets import BucketError
from rolesynth_assets.images.shards.registry import load_shards
from rolesynth_assets.lineage import watched_images
from rolesynth_assets_tests.defs.small_graph import SmallGraph, noise_picture, write_pictures
from rolesynth_assets_tests.loopback_s3 import loopback_s3


def tick(graph: SmallGraph) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(instance=graph.instance, resources={"platform": Platform()})
    result = new_shards.new_image_shards(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def skipped(graph: SmallGraph) -> str:
    result = tick(graph)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message or ""


def registered(graph: SmallGraph) -> list[tuple[str | None, str | None]]:
    """Tick as the daemon does, run what it starts, and return (run key, partition) of that."""
    result = tick(graph)
    assert isinstance(result, dg.SensorResult)
    for request in result.dynamic_partitions_requests or []:
        assert request.partitions_def_name == "image_shard"
        graph.instance.add_dynamic_partitions("image_shard", list(request.partition_keys))
    for run in result.run_requests or []:
        graph.materialize("image_shards", run.partition_key, raise_on_error=False)
    return [(r.run_key, r.partition_key) for r in result.run_requests or []]


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and the time of its last change."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in found}


@pytest.fixture
def watched(graph: SmallGraph) -> Path:
    folder = graph.project / "watched"
    folder.mkdir()
    graph.patch.setenv("ROLESYNTH_IMAGES", str(folder))
    graph.patch.setattr(watched_images, "SETTLED_S", 0.0)
    return folder


def test_no_watched_folder_is_skipped_with_the_way_out(graph: SmallGraph) -> None:
    assert "ROLESYNTH_IMAGES" in skipped(graph)


def test_empty_folder_is_skipped(graph: SmallGraph, watched: Path) -> None:
    assert f"{watched} holds no image" in skipped(graph)


def test_folder_that_is_gone_is_an_error(graph: SmallGraph, watched: Path) -> None:
    watched.rmdir()
    with pytest.raises(FileNotFoundError, match=str(watched)):
        tick(graph)


def test_new_files_are_ingested_once(graph: SmallGraph, watched: Path) -> None:
    write_pictures(watched, range(2))
    assert registered(graph) == [("image_shards/watched-0000", "watched-0000")]
    assert "Nothing new" in skipped(graph)

    write_pictures(watched, range(2, 5))
    assert registered(graph) == [("image_shards/watched-0001", "watched-0001")]
    assert graph.store.count("images", {"shard": "watched-0001"}) == 3


def test_evaluating_a_tick_writes_nothing(graph: SmallGraph, watched: Path) -> None:
    """ "Preview tick result" of the UI evaluates the function for real."""
    write_pictures(watched, range(2))
    before = files(graph.project)
    for _ in range(2):
        found = tick(graph)
        assert isinstance(found, dg.SensorResult)
        assert [r.partition_key for r in found.run_requests or []] == ["watched-0000"]
    assert files(graph.project) == before
    assert not load_shards(graph.root)
    assert not graph.instance.get_dynamic_partitions("image_shard")


def test_files_that_came_between_tick_and_run_are_registered_with_them(
    graph: SmallGraph, watched: Path
) -> None:
    write_pictures(watched, range(1, 3))
    assert isinstance(tick(graph), dg.SensorResult)
    write_pictures(watched, range(1))
    graph.instance.add_dynamic_partitions("image_shard", ["watched-0000"])
    graph.materialize("image_shards", "watched-0000")
    assert graph.store.count("images") == 3
    assert "Nothing new" in skipped(graph)


def test_a_run_that_cannot_register_is_tried_three_times(graph: SmallGraph, watched: Path) -> None:
    write_pictures(watched, range(1))

    def broken(*_: object, **__: object) -> None:
        raise PermissionError("the shards' folder cannot be written")

    graph.patch.setattr(watched_images, "register_path", broken)
    keys = [registered(graph) for _ in range(3)]
    assert [key for ((key, _),) in keys] == [
        "image_shards/watched-0000",
        "image_shards/watched-0000/1",
        "image_shards/watched-0000/2",
    ]
    assert "3 runs did not register watched-0000" in skipped(graph)


def test_file_that_is_still_being_copied_waits(graph: SmallGraph, watched: Path) -> None:
    graph.patch.setattr(watched_images, "SETTLED_S", 3600.0)
    write_pictures(watched, range(1))
    assert "Nothing new" in skipped(graph)


def test_a_bucket_is_watched_like_a_folder(graph: SmallGraph) -> None:
    graph.patch.setattr(watched_images, "SETTLED_S", 0.0)
    with loopback_s3() as s3:
        s3.set_environment(graph.patch)
        url = s3.fill("pictures", {"in/notes.txt": b"x"})
        graph.patch.setenv("ROLESYNTH_IMAGES", f"{url}/in")
        assert f"{url}/in holds no image" in skipped(graph)

        s3.put("pictures", "in/a.png", noise_picture(1))
        s3.put("pictures", "in/b c.png", noise_picture(2))
        assert registered(graph) == [("image_shards/in-0000", "in-0000")]
        assert f"Nothing new in {url}/in" in skipped(graph)
        sources = graph.store.read("images", {"shard": "in-0000"}, ["source"])["source"]
        assert sorted(sources.to_pylist()) == [f"{url}/in/a.png", f"{url}/in/b c.png"]

        graph.patch.setenv("ROLESYNTH_IMAGES", "s3://no-such-bucket/in")
        with pytest.raises(BucketError, match="no bucket 'no-such-bucket'"):
            tick(graph)
