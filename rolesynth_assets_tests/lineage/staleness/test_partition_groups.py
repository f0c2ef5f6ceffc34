"""Upstream partitions in bulk against Dagster's own answer, key by key."""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.instance.types import CachingDynamicPartitionsLoader

from rolesynth_assets.lineage.staleness.partition_groups import Dependency, Partitions

NOW = datetime(2026, 3, 1)
LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
SHARDS = dg.DynamicPartitionsDefinition(name="image_shard")
WEEKS = dg.WeeklyPartitionsDefinition("2026-01-04")
BEFORE = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
TO = dg.MultiToSingleDimensionPartitionMapping
CELLS = dg.MultiPartitionsDefinition({"letter": LETTERS, "shard": SHARDS})
ROUNDS = dg.MultiPartitionsDefinition({"letter": LETTERS, "round": WEEKS})


def only_dimension(name: str, mapping: dg.PartitionMapping) -> dg.MultiPartitionMapping:
    return dg.MultiPartitionMapping({name: dg.DimensionPartitionMapping(name, mapping)})


EDGES = {
    "same single": (LETTERS, LETTERS, None),
    "same two": (CELLS, CELLS, None),
    "neither": (None, None, None),
    "all to one": (None, SHARDS, dg.AllPartitionMapping()),
    "all to each": (LETTERS, SHARDS, dg.AllPartitionMapping()),
    "one to each": (LETTERS, None, None),
    "fan-in of a dimension": (LETTERS, CELLS, TO("letter")),
    "fan-out of a dimension": (CELLS, SHARDS, TO("shard")),
    "static": (LETTERS, LETTERS, dg.StaticPartitionMapping({"a": ["b", "c"], "b": "a"})),
    "last": (None, WEEKS, dg.LastPartitionMapping()),
    "some": (CELLS, LETTERS, dg.SpecificPartitionsPartitionMapping(["b"])),
    "week before": (WEEKS, WEEKS, BEFORE),
    "days of a week": (WEEKS, dg.DailyPartitionsDefinition("2026-01-04"), None),
    "one dimension alike": (ROUNDS, CELLS, only_dimension("letter", dg.IdentityPartitionMapping())),
    "round before": (
        ROUNDS,
        ROUNDS,
        dg.MultiPartitionMapping(
            {
                "letter": dg.DimensionPartitionMapping("letter", dg.IdentityPartitionMapping()),
                "round": dg.DimensionPartitionMapping("round", BEFORE),
            }
        ),
    ),
    "round before, all letters": (ROUNDS, ROUNDS, only_dimension("round", BEFORE)),
}


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("image_shard", ["s0", "s1", "s2"])
        yield made


def compare(graph: BaseAssetGraph, child: dg.AssetKey, parent: dg.AssetKey) -> int:
    """Assert that both answers are the same for every partition; return how many there are."""
    below = Partitions(graph.get(child).partitions_def)
    above = Partitions(graph.get(parent).partitions_def)
    dependency = Dependency(graph, child, parent, below, above, ())
    for key in below.keys:
        expected: list[str | None] = [None]
        if above.definition is not None:
            found = graph.get_parent_partition_keys_for_child(key, parent, child)
            expected = list(found.partitions_subset.get_partition_keys())
        assert sorted(map(str, dependency.group(key).present)) == sorted(map(str, expected)), key
    return len(below.keys)


@pytest.mark.parametrize("name", EDGES)
def test_mappings(instance: dg.DagsterInstance, name: str) -> None:
    below, above, mapping = EDGES[name]

    @dg.asset(partitions_def=above)
    def up() -> None: ...

    @dg.asset(partitions_def=below, deps=[dg.AssetDep("up", partition_mapping=mapping)])
    def down() -> None: ...

    graph = dg.Definitions(assets=[up, down]).resolve_asset_graph()
    with dg.partition_loading_context(NOW, CachingDynamicPartitionsLoader(instance)):
        assert compare(graph, dg.AssetKey("down"), dg.AssetKey("up"))


def test_every_dependency_of_the_platform(instance: dg.DagsterInstance) -> None:
    from rolesynth_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    with dg.partition_loading_context(NOW, CachingDynamicPartitionsLoader(instance)):
        compared = [
            compare(graph, key, parent)
            for key in graph.materializable_asset_keys
            for parent in graph.get(key).parent_keys
        ]
    assert len(compared) > 10


def test_keys_that_are_gone_stay_with_what_was_made_from_them(
    instance: dg.DagsterInstance,
) -> None:
    @dg.asset(partitions_def=CELLS)
    def up() -> None: ...

    @dg.asset(partitions_def=LETTERS, deps=[dg.AssetDep("up", partition_mapping=TO("letter"))])
    def down() -> None: ...

    graph = dg.Definitions(assets=[up, down]).resolve_asset_graph()
    with dg.partition_loading_context(NOW, CachingDynamicPartitionsLoader(instance)):
        stored = ["a|s0", "a|gone", "b|gone", "of another shape"]
        dependency = Dependency(
            graph,
            dg.AssetKey("down"),
            dg.AssetKey("up"),
            Partitions(LETTERS),
            Partitions(CELLS),
            stored,
        )
        assert dependency.group("a").gone == ["a|gone"]
        assert dependency.group("c").gone == []
