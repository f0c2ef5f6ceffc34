"""The cost on the page that is looked at first: failed attempts are paid for too."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from rolesynth_assets.defs.overview import overview
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets_tests.lineage.little_graphs import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield World(instance)


def failing(name: str, calls: int) -> dg.AssetsDefinition:
    @dg.asset(name=name)
    def made() -> None:
        raise dg.Failure("the server went away", metadata=Spent(calls, 1, 1, 0.5).metadata)

    return made


def test_calls_of_failed_attempts_are_part_of_the_cost(world: World, tmp_path: Path) -> None:
    assets = [
        failing("raw_captions", 3),
        failing("seeds_of_somebody", 100),  # asks no model of this project
        world.asset("caption_scores", metadata_of_run=Spent(10, 5, 5, 2.0).metadata),
        overview,
    ]
    resources = {
        "code_location": CodeLocation(lambda: listed),
        "platform": Platform(data_root=str(tmp_path / "data")),
    }
    listed = dg.Definitions(assets=assets, resources=resources)
    for name in ("raw_captions", "raw_captions", "seeds_of_somebody", "caption_scores"):
        world.make(assets, name, resources=resources)
    done = world.make(assets, "overview", resources=resources)
    (event,) = done.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["rolesynth/calls_so_far"].value == 16
    assert metadata["rolesynth/cost_so_far"].value == pytest.approx(3.0)
