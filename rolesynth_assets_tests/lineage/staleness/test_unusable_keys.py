"""Dagster takes "|" in a dynamic partition's key and cannot find its two-part partitions then."""

import dagster as dg
import pytest

from rolesynth_assets.lineage.refresh.rematerialize import fix
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.refresh.tagged_runs import in_progress
from rolesynth_assets.lineage.refresh.weekly import due_this_week
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets_tests.lineage.little_graphs import World

SHARDS = dg.DynamicPartitionsDefinition(name="image_shard")
CELLS = dg.MultiPartitionsDefinition(
    {"image_shard": SHARDS, "role_set": dg.StaticPartitionsDefinition(["few", "many"])}
)
BY_SHARD = dg.MultiToSingleDimensionPartitionMapping("image_shard")
BAD = ("b|c", "|", "few|a", "a|few")


@pytest.fixture
def refresher(world: World) -> Refresher:
    dep = dg.AssetDep("image_shards", partition_mapping=BY_SHARD)
    assets = [world.asset("image_shards", SHARDS), world.asset("raw_captions", CELLS, [dep])]
    world.instance.add_dynamic_partitions("image_shard", ["a", *BAD])
    return Refresher(dg.Definitions(assets=assets), world.instance)


def test_they_are_named_and_left_out(refresher: Refresher) -> None:
    found = refresher.examine()
    assert {key for _, key in found.unusable} == set(BAD)
    assert all("is left out" in sentence for sentence in found.left_out)
    assert list(found.states["image_shards"]) == ["a"]
    assert list(found.states["raw_captions"]) == ["a|few", "a|many"]


def test_everything_else_answers_and_is_made(refresher: Refresher, world: World) -> None:
    done = fix(refresher, lambda cell, status: True)
    assert [str(cell) for cell in done.made] == [
        "image_shards[a]",
        "raw_captions[a|few]",
        "raw_captions[a|many]",
    ]
    assert not done.failed and not done.left
    found = refresher.examine()
    assert all(
        state.status is Status.FRESH
        for states in found.states.values()
        for state in states.values()
    )
    assert due_this_week(found, ["a"], {}, [])(Cell("raw_captions", "a|few"), Status.MISSING)
    assert not in_progress(refresher.graph, world.instance)


def test_one_that_was_added_after_the_others_were_made_changes_nothing(
    refresher: Refresher, world: World
) -> None:
    fix(refresher, lambda cell, status: True)
    world.instance.add_dynamic_partitions("image_shard", ["x|y"])
    found = refresher.examine()
    assert not list(found.stale())
    assert len(found.unusable) == len(BAD) + 1
