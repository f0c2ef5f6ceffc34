"""Rows that ended for a reason are asked again where the run's configuration says so."""

from collections import Counter

from rolesynth_assets.definitions import defs
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.staleness.causes import Cell
from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.mllm.rows.one_go import one_go
from rolesynth_assets_tests.defs.small_graph import SmallGraph

ROLE_SET = "generic1"


def reasons(graph: SmallGraph) -> Counter[str]:
    return Counter(graph.store.read("captions", None, ["reason"])["reason"].to_pylist())


def ask(graph: SmallGraph, shard: str, *again: str) -> int:
    """Ask again in a run of its own; return the calls that it took."""
    before = len(graph.models.requests)
    cell = Cell("raw_captions", f"{shard}|{ROLE_SET}")
    made = Refresher(defs, graph.instance).make(cell, config={"again": list(again)})
    assert made.spent.calls == len(graph.models.requests) - before
    return made.spent.calls


def test_exactly_the_rows_with_these_reasons_are_asked(graph: SmallGraph) -> None:
    graph.set_thresholds(max_failure_share=1, max_refusal_share=1)
    shard = graph.add_shard("few", range(10))
    struck = [FailureReason.TRUNCATED] * 2 + [FailureReason.REFUSED] * 3 + [FailureReason.TIMEOUT]
    graph.models.fail = lambda request: struck.pop(0) if struck else None
    graph.refresh()
    assert reasons(graph) == {None: 14, "refused": 3, "truncated": 2, "timeout": 1}

    assert ask(graph, shard, "empty") == 0  # and what failed in passing is left to a plain run
    assert ask(graph, shard, "truncated") == 2
    assert reasons(graph) == {None: 16, "refused": 3, "timeout": 1}
    struck[:] = [FailureReason.REFUSED]
    with one_go():
        assert ask(graph, shard, "refused") == 3
        assert reasons(graph) == {None: 18, "refused": 1, "timeout": 1}
        assert ask(graph, shard, "refused") == 0
    assert ask(graph, shard, "refused") == 1  # another go
    graph.refresh()
    assert reasons(graph) == {None: 20}


def test_an_image_of_two_shards_is_asked_again_once(graph: SmallGraph) -> None:
    graph.set_thresholds(duplicates="all", max_failure_share=1, max_refusal_share=1)
    one, two = graph.add_shard("one", range(3)), graph.add_shard("two", range(3))
    struck = [FailureReason.REFUSED] * 2
    graph.models.fail = lambda request: struck.pop(0) if struck else None
    graph.refresh()
    assert len(graph.models.captioned) == 6  # the second shard copies what the first one got
    assert reasons(graph) == {None: 8, "refused": 4}
    struck[:] = [FailureReason.REFUSED] * 2
    with one_go():
        assert ask(graph, one, "refused") == 2
        assert ask(graph, two, "refused") == 0
    assert ask(graph, two, "refused") == 2


def test_a_shard_of_duplicates_alone_holds_up_nothing(graph: SmallGraph) -> None:
    graph.add_shard("one", range(3))
    graph.refresh()
    asked, pairs = len(graph.models.requests), graph.store.count("pairs")
    copies = graph.add_shard("two", range(3))
    graph.refresh()
    assert graph.store.count("images", {"shard": copies}) == 0
    assert (len(graph.models.requests), graph.store.count("pairs")) == (asked, pairs)
    checks = graph.checks("caption_scores", f"{copies}|{ROLE_SET}")
    assert {name for name, check in checks.items() if not check.passed} == set()
