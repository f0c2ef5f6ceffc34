"""Rows that failed for a transient reason, through the whole graph."""

from rolesynth_assets.definitions import defs
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets_tests.defs.small_graph import SmallGraph

CELL = "few-0000|generic1"


def causes(graph: SmallGraph, asset: str) -> list[str]:
    found = Refresher(defs, graph.instance).examine()
    return [str(cause) for cause in found.state(Cell(asset, CELL)).causes]


def test_run_asks_again_for_what_failed_in_passing_until_nothing_does(graph: SmallGraph) -> None:
    graph.add_shard("few", range(10))
    struck: list[FailureReason | None] = [None, FailureReason.CALL_FAILED]  # within the bound
    graph.models.fail = lambda request: struck.pop(0) if struck else None
    graph.refresh()
    assert causes(graph, "raw_captions") == ["1 row failed for a transient reason"]
    assert causes(graph, "caption_scores") == [
        f"upstream raw_captions[{CELL}] is to be asked again"
    ]
    asked = len(graph.models.requests)

    struck[:] = [None, FailureReason.TIMEOUT]  # the caption comes, its score does not
    report = graph.refresh()
    assert (report.ran["raw_captions"], report.ran["caption_scores"]) == (1, 1)
    assert len(graph.models.requests) == asked + 2
    assert causes(graph, "raw_captions") == []
    assert causes(graph, "caption_scores") == ["1 row failed for a transient reason"]

    report = graph.refresh()
    assert (report.ran["raw_captions"], report.ran["caption_scores"]) == (0, 1)
    assert len(graph.models.requests) == asked + 3
    assert causes(graph, "caption_scores") == []
    assert not any(graph.refresh().ran.values())
