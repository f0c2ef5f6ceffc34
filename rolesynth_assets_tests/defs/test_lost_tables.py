"""Tables are deleted or put back while Dagster remembers what was in them."""

import shutil
from pathlib import Path

from rolesynth_assets.definitions import defs
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.staleness import Staleness
from rolesynth_assets_tests.defs.small_graph import SmallGraph


def examined(graph: SmallGraph) -> Staleness:
    return Refresher(defs, graph.instance).examine()


def missing(found: Staleness) -> dict[str, list[str]]:
    """The causes of what was made and is missing."""
    return {
        str(Cell(asset, key)): [str(cause) for cause in state.causes]
        for asset, states in found.states.items()
        for key, state in states.items()
        if state.status is Status.MISSING and any(c.reason == "lost" for c in state.causes)
    }


def test_a_deleted_table_is_missing_and_made_again(graph: SmallGraph) -> None:
    first, second = (graph.add_shard(name, range(n, n + 2)) for n, name in ((0, "one"), (2, "two")))
    graph.refresh(["generic1"])
    assert missing(examined(graph)) == {}
    captions = [f"raw_captions[{shard}|generic1]" for shard in (first, second)]

    backup = graph.project / "backup"
    shutil.copytree(Path(str(graph.root)) / "lance" / "captions.lance", backup)
    shutil.rmtree(Path(str(graph.root)) / "lance" / "captions.lance")
    found = missing(examined(graph))
    assert found == {cell: ["table lance.captions was deleted"] for cell in captions}

    # made anew it has another id, so one of its partitions does not speak for the others, however
    # high its version grows
    graph.materialize("raw_captions", f"{first}|generic1")
    for _ in range(20):
        graph.store.append(
            "captions",
            {"shard": first, "role_set": "generic1"},
            graph.store.read("captions", {"shard": first, "role_set": "generic1"}),
        )
    found = missing(examined(graph))
    assert found == {captions[1]: ["table lance.captions was deleted and made anew"]}

    report = graph.refresh(["generic1"])
    assert report.ran["raw_captions"] == 1
    assert missing(examined(graph)) == {}


def test_an_older_copy_put_back_lacks_what_came_later(graph: SmallGraph) -> None:
    first = graph.add_shard("one", range(2))
    graph.refresh(["generic1"])
    backup = graph.project / "backup"
    shutil.copytree(str(graph.root), backup)
    second = graph.add_shard("two", range(2, 4))
    graph.refresh(["generic1"])
    for name in ("captions", "images"):
        shutil.rmtree(Path(str(graph.root)) / "lance" / f"{name}.lance")
        place = Path(str(graph.root)) / "lance" / f"{name}.lance"
        shutil.copytree(backup / "lance" / f"{name}.lance", place)
    found = missing(examined(graph))
    assert set(found) == {f"image_shards[{second}]", f"raw_captions[{second}|generic1]"}
    assert "table lance.images went back from version" in found[f"image_shards[{second}]"][0]
    assert f"image_shards[{first}]" not in found


def test_over_an_empty_root_nothing_is_up_to_date(graph: SmallGraph) -> None:
    graph.add_shard("one", range(2))
    graph.refresh(["generic1"])
    shutil.rmtree(str(graph.root))
    counts = examined(graph).counts()
    assert sum(of[Status.FRESH] + of[Status.STALE] for of in counts.values()) == 0
