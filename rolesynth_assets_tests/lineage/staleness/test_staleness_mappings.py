"""Staleness through two dimensions and through rounds that depend on the round before."""

from datetime import datetime

import dagster as dg

from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets_tests.lineage.little_graphs import World, causes

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
SHARDS = dg.DynamicPartitionsDefinition(name="shards")
BY_SHARD = dg.MultiPartitionsDefinition({"shard": SHARDS, "letter": LETTERS})
ALL = dg.AllPartitionMapping()


def test_two_dimensions(world: World) -> None:
    """Shard and letter apart, both together, and a fan-in over the shards of a letter."""
    world.instance.add_dynamic_partitions("shards", ["s0", "s1"])
    to = dg.MultiToSingleDimensionPartitionMapping
    assets = [
        world.asset("images", SHARDS),
        world.asset("roles", LETTERS),
        world.asset(
            "captions",
            BY_SHARD,
            [
                dg.AssetDep("images", partition_mapping=to("shard")),
                dg.AssetDep("roles", partition_mapping=to("letter")),
            ],
        ),
        world.asset("scores", BY_SHARD, ["captions"]),
        world.asset("cut", LETTERS, [dg.AssetDep("scores", partition_mapping=to("letter"))]),
    ]
    cells = [f"{letter}|{shard}" for letter in "ab" for shard in ("s0", "s1")]
    for name, keys in (
        ("images", ["s0", "s1"]),
        ("roles", ["a", "b"]),
        ("captions", cells),
        ("scores", cells),
        ("cut", ["a", "b"]),
    ):
        for key in keys:
            assert world.make(assets, name, key).success
    assert not list(world.staleness(assets).stale())

    world.contents["roles", "a"] = "1"
    world.make(assets, "roles", "a")
    found = world.staleness(assets)
    assert {str(cell) for cell, _ in found.stale()} == {
        "captions[a|s0]",
        "captions[a|s1]",
        "scores[a|s0]",
        "scores[a|s1]",
        "cut[a]",
    }
    assert causes(found, "captions", "a|s0") == ["roles[a] changed"]
    world.contents["images", "s1"] = "1"
    world.make(assets, "images", "s1")
    found = world.staleness(assets)
    assert causes(found, "captions", "a|s1") == ["images[s1] changed", "roles[a] changed"]
    assert causes(found, "captions", "b|s1") == ["images[s1] changed"]
    assert causes(found, "cut", "b") == ["upstream scores[b|s1] is stale"]
    assert found.state(Cell("captions", "b|s0")).status is Status.FRESH


def test_mapping_of_one_dimension_of_two(world: World) -> None:
    seeds = dg.StaticPartitionsDefinition(["0", "1"])
    trained = dg.MultiPartitionsDefinition({"letter": LETTERS, "seed": seeds})
    scored = dg.MultiPartitionsDefinition({"letter": LETTERS, "task": seeds})
    by_letter = dg.MultiPartitionMapping(
        {"letter": dg.DimensionPartitionMapping("letter", dg.IdentityPartitionMapping())}
    )
    assets = [
        world.asset("train", trained),
        world.asset("score", scored, [dg.AssetDep("train", partition_mapping=by_letter)]),
    ]
    for key in ("a|0", "b|0"):
        world.make(assets, "train", key)
        world.make(assets, "score", key)
    world.make(assets, "train", "a|1")
    found = world.staleness(assets)
    assert causes(found, "score", "a|0") == ["train[a|1] is new"]
    assert found.state(Cell("score", "b|0")).status is Status.FRESH


def test_rounds_of_a_domain_depend_on_the_round_before(world: World) -> None:
    weeks = dg.WeeklyPartitionsDefinition("2026-01-04")
    now = datetime(2026, 2, 20)
    both = dg.MultiPartitionsDefinition({"domain": LETTERS, "round": weeks})
    before = dg.MultiPartitionMapping(
        {
            "domain": dg.DimensionPartitionMapping("domain", dg.IdentityPartitionMapping()),
            "round": dg.DimensionPartitionMapping(
                "round", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
            ),
        }
    )
    assets = [world.asset("rounds", both, [dg.AssetDep("rounds", partition_mapping=before)])]
    keys = [f"{d}|{w}" for d in "ab" for w in ("2026-01-04", "2026-01-11", "2026-01-18")]
    for key in keys:
        assert world.make(assets, "rounds", key).success
    assert not list(world.staleness(assets, now=now).stale())
    world.contents["rounds", "b|2026-01-04"] = "1"
    world.make(assets, "rounds", "b|2026-01-04")
    found = world.staleness(assets, now=now)
    assert causes(found, "rounds", "b|2026-01-11") == ["rounds[b|2026-01-04] changed"]
    assert causes(found, "rounds", "b|2026-01-18") == ["upstream rounds[b|2026-01-11] is stale"]
    assert found.counts()["rounds"] == {
        Status.FRESH: 4,
        Status.STALE: 2,
        Status.MISSING: 3 * 6 - 6,
    }


def test_rounds_made_in_one_run_have_read_each_other(world: World) -> None:
    weeks = dg.WeeklyPartitionsDefinition("2026-01-04", end_date="2026-02-08")
    before = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    assets = [world.asset("rounds", weeks, [dg.AssetDep("rounds", partition_mapping=before)])]
    keys = weeks.get_partition_keys()
    for _ in range(2):
        world.make(assets, "rounds", keys[0], through=keys[-1])
        assert not list(world.staleness(assets).stale())
