"""A role's words change: it is told, and mended, and only its captions are paid for."""

from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.defs.wiring.explainers import explainers
from rolesynth_assets.lineage.refresh.rematerialize import fix
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.lineage.staleness.explain import Words
from rolesynth_assets_tests.defs.small_graph import SmallGraph

IMAGES = 2


def test_changed_role_is_told_and_mended_alone(graph: SmallGraph) -> None:
    shard = graph.add_shard("few", range(IMAGES))
    graph.refresh(["roles5", "generic1"])
    refresher = Refresher(defs, graph.instance)
    assert not list(refresher.examine().stale())

    role_set = partitions.ROLE_SETS["roles5"]
    changed = role_set.roles[2].model_copy(update={"responsibilities": "Count all the lines."})
    roles = (*role_set.roles[:2], changed, *role_set.roles[3:])
    graph.patch.setitem(
        partitions.ROLE_SETS, "roles5", role_set.model_copy(update={"roles": roles})
    )
    graph.models.forget()
    refresher.observe_sources()
    found, words = refresher.examine(), Words(graph.instance, explainers())
    assert words.why(found, Cell("role_lists", "roles5")) == [f"role {changed.name} changed"]
    assert words.why(found, Cell("raw_captions", f"{shard}|roles5")) == [
        f"upstream role_lists[roles5] is stale: role {changed.name} changed"
    ]
    assert {str(cell.partition).split("|")[-1] for cell, _ in found.stale()} == {"roles5"}

    done = fix(refresher)
    assert not (done.failed or done.left)
    assert not list(refresher.examine().stale())
    assert (
        len(graph.models.captioned)
        == len(graph.models.judged)
        == done.spent.calls // 2
        == 2 * IMAGES
    )
    assert all("Count all the lines." in prompt for prompt in graph.models.captions_by_prompt())
