"""A shard that is forgotten leaves cut, pairs and training sets; its paid rows come back free."""

import polars as pl

from rolesynth_assets.definitions import defs
from rolesynth_assets.images.shards.registry import load_shards, register_path_again
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.shards import agree_on_shards, forget
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets_tests.defs.small_graph import SmallGraph

ROLE_SET = "generic1"


def state(graph: SmallGraph) -> Staleness:
    return Refresher(defs, graph.instance).examine()


def stale(graph: SmallGraph) -> set[str]:
    return {str(cell) for cell, _ in state(graph).stale()}


def pairs(graph: SmallGraph) -> pl.DataFrame:
    return pl.DataFrame(graph.store.read("pairs", {"role_set": ROLE_SET}))


def shards_in_manifest(graph: SmallGraph) -> list[str]:
    return graph.small.read("manifests", {"role_set": ROLE_SET})["shard"].to_list()


def test_a_forgotten_shard_leaves_everything_and_comes_back_without_a_call(
    graph: SmallGraph,
) -> None:
    kept, gone = graph.add_shard("kept", range(4)), graph.add_shard("gone", range(10, 14))
    graph.refresh()
    asked = len(graph.models.requests)
    assert shards_in_manifest(graph) == [gone, kept]
    refresher = Refresher(defs, graph.instance)

    cells = forget(graph.instance, refresher.graph, graph.store, [gone], "no licence")
    assert {cell.partition for cell in cells} == {gone, f"{gone}|{ROLE_SET}"}
    assert list(load_shards(graph.root)) == [kept]
    of_gone = pairs(graph).filter(pl.col("shard") == gone)
    assert set(of_gone["reason"]) == {"forgotten"} and not of_gone["kept"].any()
    assert graph.store.count("captions", {"shard": gone})  # they were paid for
    found = stale(graph)
    assert {f"filter_cutoffs[{ROLE_SET}]", f"pair_manifests[{ROLE_SET}]"} <= found
    made_of_it = ("image_shards", "raw_captions", "caption_scores")
    assert not {name for name in found if name.startswith(made_of_it)}

    graph.refresh()
    assert len(graph.models.requests) == asked
    assert shards_in_manifest(graph) == [kept]
    assert not stale(graph)
    (cut,) = graph.small.read("cutoffs", {"role_set": ROLE_SET})["candidates"].unique()
    assert cut == 4

    register_path_again(graph.root, graph.project / "pictures" / "gone", "gone")
    graph.refresh()
    assert len(graph.models.requests) == asked
    assert shards_in_manifest(graph) == [gone, kept]
    assert not stale(graph)


def test_a_partition_deleted_in_dagster_means_the_same(graph: SmallGraph) -> None:
    kept, gone = graph.add_shard("kept", range(3)), graph.add_shard("gone", range(10, 13))
    graph.refresh()
    refresher = Refresher(defs, graph.instance)
    graph.instance.delete_dynamic_partition("image_shard", gone)
    new = graph.add_shard("new", range(20, 22))  # registered, and never seen by Dagster

    shards, forgotten = agree_on_shards(graph.instance, refresher.graph, graph.root)
    assert (shards, forgotten) == ([kept, new], [gone])
    assert list(load_shards(graph.root)) == [kept, new]
    assert set(pairs(graph).filter(pl.col("shard") == gone)["reason"]) == {"forgotten"}
    assert f"filter_cutoffs[{ROLE_SET}]" in stale(graph)
    assert agree_on_shards(graph.instance, refresher.graph, graph.root) == ([kept, new], [])


def test_an_instance_that_is_new_forgets_nothing(graph: SmallGraph) -> None:
    shard = graph.add_shard("kept", range(2))
    refresher = Refresher(defs, graph.instance)
    assert agree_on_shards(graph.instance, refresher.graph, graph.root) == ([shard], [])
