"""A caption that a person excludes leaves training; only what hangs on it is made again."""

from rolesynth_assets.definitions import defs
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.causes import Cause, Status
from rolesynth_assets.review.exclusions import decide
from rolesynth_assets_tests.defs.small_graph import SmallGraph

ROLE_SET = "generic1"


def stale(graph: SmallGraph) -> dict[str, tuple[Cause, ...]]:
    refresher = Refresher(defs, graph.instance)
    refresher.observe_sources()
    return {str(cell): state.causes for cell, state in refresher.examine().stale()}


def trained_on(graph: SmallGraph, caption: str) -> bool:
    kept = graph.store.read("pairs", None, ["caption_id"], "kept")["caption_id"].to_pylist()
    return caption in kept


def test_an_excluded_caption_makes_only_its_own_partition_stale(graph: SmallGraph) -> None:
    shards = [graph.add_shard(name, range(at, at + 4)) for name, at in (("a", 0), ("b", 4))]
    graph.refresh([ROLE_SET])
    assert stale(graph) == {}
    pairs = graph.store.read("pairs", {"shard": shards[1], "role_set": ROLE_SET}, where="kept")
    caption = pairs["caption_id"][0].as_py()
    calls = len(graph.models.requests)

    assert decide(graph.store, caption, excluded=True, reviewer="Ada", note="no dog") == [
        f"{shards[1]}|{ROLE_SET}"
    ]
    found = stale(graph)
    assert f"filtered_pairs[{shards[1]}|{ROLE_SET}]" in found
    assert {name.split("[")[0] for name in found} <= {
        "filtered_pairs",
        "pair_manifests",
        "dataset_card",
    }
    assert not any(shards[0] in name for name in found)

    graph.refresh([ROLE_SET])
    assert stale(graph) == {}
    (row,) = graph.store.read("pairs", where=f"caption_id = '{caption}'").to_pylist()
    assert (row["kept"], row["reason"]) == (False, "excluded_by_reviewer")
    checks = graph.checks("pair_manifests", ROLE_SET)
    assert checks["pairs_match_cutoffs"].passed
    assert len(graph.models.requests) == calls  # no model was asked for it

    decide(graph.store, caption, excluded=False, reviewer="Ada")
    assert f"filtered_pairs[{shards[1]}|{ROLE_SET}]" in stale(graph)
    graph.refresh([ROLE_SET])
    assert trained_on(graph, caption)


def test_the_index_is_made_with_the_captions_and_stale_with_them(graph: SmallGraph) -> None:
    graph.add_shard("a", range(3))
    graph.refresh([ROLE_SET])
    assert graph.checks("caption_index", ROLE_SET)["index_complete"].passed
    states = Refresher(defs, graph.instance).examine().states["caption_index"]
    assert states[ROLE_SET].status is Status.FRESH
    graph.add_shard("b", range(3, 6))
    graph.refresh([ROLE_SET])
    made = graph.materializations("caption_index")[ROLE_SET]
    assert made.asset_materialization
    assert made.asset_materialization.metadata["rolesynth/captions"].value == 12
