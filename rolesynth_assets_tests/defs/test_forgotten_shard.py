"""A shard that is forgotten leaves cut, pairs and training sets; its paid rows come back free."""

import dagster as dg
import polars as pl

from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.automation.stale_sensor import rematerialize_stale
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.images.shards.registry import load_shards, register_path_again
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.shards import agree_on_shards, forget
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets.training_sets.rows import selected_pairs, trained_selection
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


def test_pictures_that_another_shard_holds_too_are_taken_from_there(graph: SmallGraph) -> None:
    """They were rejected as duplicates of the shard that is forgotten."""
    first, second = graph.add_shard("first", range(4)), graph.add_shard("second", range(2, 6))
    third = graph.add_shard("third", range(20, 22))
    graph.refresh()
    asked = len(graph.models.requests)
    assert graph.store.count("images", {"shard": second}) == 2
    refresher = Refresher(defs, graph.instance)
    forget(graph.instance, refresher.graph, graph.store, [first], "no licence")
    found = stale(graph)
    assert f"image_shards[{second}]" in found
    assert f"image_shards[{third}]" not in found
    graph.refresh()
    assert graph.store.count("images", {"shard": second}) == 4
    assert len(graph.models.requests) == asked  # their captions were paid for
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


FAN_INS = ("filter_cutoffs", "filtered_pairs", "pair_manifests", "training_sets")


def two_shards_and_a_recipe(graph: SmallGraph) -> tuple[str, str]:
    kept, gone = graph.add_shard("kept", range(4)), graph.add_shard("gone", range(10, 14))
    graph.shorten_recipe("generic1", steps=2)
    graph.refresh()
    graph.materialize("training_sets", "generic1")
    assert trained_on(graph) == {kept, gone}
    graph.instance.delete_dynamic_partition("image_shard", gone)
    return kept, gone


def trained_on(graph: SmallGraph) -> set[str]:
    recipe = partitions.RECIPES["generic1"]
    version, left_out = trained_selection(graph.small, recipe)
    return set(selected_pairs(graph.store, recipe, version, left_out)["shard"])


def test_the_job_that_makes_what_is_stale_forgets_deleted_partitions(graph: SmallGraph) -> None:
    kept, gone = two_shards_and_a_recipe(graph)
    done = defs.resolve_job_def("make_what_is_stale").execute_in_process(
        instance=graph.instance,
        run_config={
            "ops": {"make_stale_partitions": {"config": {"assets": list(FAN_INS)}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
    )
    assert done.success
    assert list(load_shards(graph.root)) == [kept]
    assert set(pairs(graph).filter(pl.col("shard") == gone)["reason"]) == {"forgotten"}
    assert shards_in_manifest(graph) == [kept]
    assert trained_on(graph) == {kept}


def test_a_deleted_partition_is_in_no_training_set_made_by_hand(graph: SmallGraph) -> None:
    """Somebody presses Materialize on one asset after the other: nothing forgets the shard."""
    kept, gone = two_shards_and_a_recipe(graph)
    for asset, partition in zip(
        FAN_INS, (ROLE_SET, f"{kept}|{ROLE_SET}", ROLE_SET, "generic1"), strict=True
    ):
        assert graph.materialize(asset, partition).success
    assert set(load_shards(graph.root)) == {kept, gone}
    assert trained_on(graph) == {kept}
    assert graph.checks("training_sets", "generic1")["manifest_matches_tables"].passed


def test_the_sensor_requests_the_run_that_forgets(graph: SmallGraph) -> None:
    kept, gone = two_shards_and_a_recipe(graph)

    def requests() -> list[dg.RunRequest]:
        context = dg.build_sensor_context(
            instance=graph.instance,
            repository_def=defs.get_repository_def(),
            resources={"platform": Platform()},
        )
        return list(rematerialize_stale.evaluate_tick(context).run_requests or [])

    (request,) = requests()
    assert request.asset_selection == [dg.AssetKey("partition_health")]
    assert set(load_shards(graph.root)) == {kept, gone}  # a tick writes nothing
    assert requests() == [request]

    graph.materialize("partition_health", None)
    assert list(load_shards(graph.root)) == [kept]
    keys = {key for request in requests() for key in request.asset_selection or []}
    assert keys and dg.AssetKey("partition_health") not in keys
