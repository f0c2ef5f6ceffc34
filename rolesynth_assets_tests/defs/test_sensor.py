from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from rolesynth_assets.definitions import defs
from rolesynth_assets.defs import automation
from rolesynth_assets.defs.resources import Platform
from rolesynth_assets_tests.defs.small_graph import SmallGraph, write_pictures


def tick(graph: SmallGraph) -> SensorExecutionData:
    sensor = defs.resolve_sensor_def("new_image_shards")
    context = dg.build_sensor_context(
        instance=graph.instance,
        repository_def=defs.get_repository_def(),
        resources={"platform": Platform()},
    )
    return sensor.evaluate_tick(context)


@pytest.fixture
def watched(graph: SmallGraph) -> Path:
    folder = graph.project / "watched"
    folder.mkdir()
    graph.patch.setenv("ROLESYNTH_IMAGES", str(folder))
    graph.patch.setattr(automation, "SETTLED_S", 0.0)
    return folder


def test_no_watched_folder_is_skipped_with_the_way_out(graph: SmallGraph) -> None:
    assert "ROLESYNTH_IMAGES" in str(tick(graph).skip_message)


def test_empty_folder_is_skipped(graph: SmallGraph, watched: Path) -> None:
    result = tick(graph)
    assert str(watched) in str(result.skip_message)
    assert not result.run_requests


def test_new_files_are_ingested_once(graph: SmallGraph, watched: Path) -> None:
    write_pictures(watched, range(2))
    result = tick(graph)
    assert [r.partition_key for r in result.run_requests or ()] == ["watched-0000"]
    (request,) = result.dynamic_partitions_requests or ()
    assert (request.partitions_def_name, list(request.partition_keys)) == (
        "image_shard",
        ["watched-0000"],
    )
    graph.instance.add_dynamic_partitions("image_shard", list(request.partition_keys))
    assert "Nothing new" in str(tick(graph).skip_message)

    write_pictures(watched, range(5))
    later = tick(graph)
    assert [r.run_key for r in later.run_requests or ()] == ["image_shards/watched-0001"]
    graph.instance.add_dynamic_partitions("image_shard", ["watched-0001"])
    graph.materialize("image_shards", "watched-0001")
    assert graph.store.count("images", {"shard": "watched-0001"}) == 3


def test_file_that_is_still_being_copied_waits(graph: SmallGraph, watched: Path) -> None:
    graph.patch.setattr(automation, "SETTLED_S", 3600.0)
    write_pictures(watched, range(1))
    assert "Nothing new" in str(tick(graph).skip_message)
