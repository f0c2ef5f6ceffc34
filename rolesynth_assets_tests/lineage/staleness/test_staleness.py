"""Staleness through real runs on an instance in memory."""

import dagster as dg
import pytest

from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets_tests.lineage.little_graphs import World, causes

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
SHARDS = dg.DynamicPartitionsDefinition(name="shards")
BY_SHARD = dg.MultiPartitionsDefinition({"shard": SHARDS, "letter": LETTERS})
ALL = dg.AllPartitionMapping()


def status(world: World, assets: list, cell: str) -> Status:
    asset, _, partition = cell.partition(":")
    return world.staleness(assets).state(Cell(asset, partition or None)).status


def test_what_was_never_made_is_missing_and_makes_nothing_stale(world: World) -> None:
    assets = [
        world.asset("up", LETTERS),
        world.asset("down", deps=[dg.AssetDep("up", partition_mapping=ALL)]),
    ]
    world.make(assets, "up", "a")
    world.make(assets, "down")
    found = world.staleness(assets)
    assert found.counts() == {
        "up": {Status.FRESH: 1, Status.MISSING: 2},
        "down": {Status.FRESH: 1},
    }
    assert found.state(Cell("up")).status is Status.MISSING
    world.make(assets, "up", "b")
    assert causes(world.staleness(assets), "down") == ["up[b] is new"]


def test_code_change_is_told_with_both_versions_and_followed_to_its_root(world: World) -> None:
    assets = [
        world.asset("first", LETTERS),
        world.asset("second", LETTERS, ["first"]),
        world.asset("third", deps=[dg.AssetDep("second", partition_mapping=ALL)]),
    ]
    for asset in ("first", "second"):
        world.make(assets, asset, "a", through="c")
    world.make(assets, "third")
    assets[0] = world.asset("first", LETTERS, code_version="2")
    found = world.staleness(assets)
    assert causes(found, "first", "a") == ["code version 1 -> 2"]
    assert causes(found, "second", "b") == ["upstream first[b] is stale"]
    assert causes(found, "third") == ["upstream second[a] and 2 more are stale"]
    ((root, cause),) = found.roots(Cell("third"))
    assert (str(root), str(cause)) == ("first[a]", "code version 1 -> 2")


def test_rerun_with_the_same_content_ends_the_staleness_downstream(world: World) -> None:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for asset in ("up", "down"):
        world.make(assets, asset, "a")
    assets[0] = world.asset("up", LETTERS, code_version="2")
    assert status(world, assets, "down:a") is Status.STALE
    world.make(assets, "up", "a")
    assert status(world, assets, "down:a") is Status.FRESH


def test_content_that_came_back_is_what_was_read(world: World) -> None:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for asset in ("up", "down"):
        world.make(assets, asset, "a")
    for content, expected in (("1", Status.STALE), ("0", Status.FRESH)):
        world.contents["up", "a"] = content
        world.make(assets, "up", "a")
        assert status(world, assets, "down:a") is expected


def test_dependencies_that_come_and_go(world: World) -> None:
    up, other = world.asset("up"), world.asset("other")
    for asset in ("up", "other"):
        world.make([up, other], asset)
    before = world.asset("down", deps=["up"])
    world.make([up, other, before], "down")
    after = world.asset("down", deps=["other"])
    assert causes(world.staleness([up, other, after]), "down") == [
        "now depends on other",
        "no longer depends on up",
    ]


def test_source_counts_as_last_observed(world: World) -> None:
    seen = {"a": "1", "b": "1"}

    @dg.observable_source_asset(partitions_def=LETTERS)
    def files() -> dg.DataVersionsByPartition:
        return dg.DataVersionsByPartition(seen)

    assets = [files, world.asset("down", LETTERS, ["files"])]
    world.make(assets, "files")
    for key in ("a", "b"):
        world.make(assets, "down", key)
    assert not list(world.staleness(assets).stale())
    seen["b"] = "2"
    world.make(assets, "files")
    found = world.staleness(assets)
    assert [str(cell) for cell, _ in found.stale()] == ["down[b]"]
    assert causes(found, "down", "b") == ["files[b] changed"]
    assert "files" not in found.states


def test_unknown_cells_are_refused(world: World) -> None:
    found = world.staleness([world.asset("up", LETTERS)])
    with pytest.raises(KeyError, match="no asset down; there are up"):
        found.state(Cell("down"))
    with pytest.raises(KeyError, match="up has no partition z"):
        found.state(Cell("up", "z"))
