from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count

import dagster as dg
import pytest

from rolesynth_assets.lineage.refresh.rematerialize import fix, planned
from rolesynth_assets.lineage.refresh.runner import Refresher, Target
from rolesynth_assets.lineage.refresh.sensor_tick import PAUSES, TRIES, Tried, next_wave
from rolesynth_assets.lineage.staleness.causes import Cause, Cell, CellState, Reason, Status
from rolesynth_assets.lineage.staleness.explain import Words
from rolesynth_assets.lineage.staleness.passing_failures import passing_tags, to_ask_again
from rolesynth_assets.lineage.staleness.staleness import Staleness

CAPTIONS, SCORES, CUT = Cell("captions", "s"), Cell("scores", "s"), Cell("cut")
SHARDS = dg.StaticPartitionsDefinition(["s"])


class Graph:
    """Captions of which some fail in passing, scores made from them, and a cut over all scores."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.failing = 0
        self.content = "1"
        self.ran: list[str] = []
        versions = count()

        @dg.asset(partitions_def=SHARDS, code_version="1")
        def captions() -> dg.MaterializeResult:
            self.ran.append("captions")
            version = dg.DataVersion(f"{self.content} without {self.failing}")
            return dg.MaterializeResult(data_version=version, tags=passing_tags(self.failing))

        @dg.asset(partitions_def=SHARDS, deps=[captions], code_version="1")
        def scores() -> dg.MaterializeResult:
            self.ran.append("scores")
            return dg.MaterializeResult(data_version=dg.DataVersion(str(next(versions))))

        @dg.asset(deps=[scores], code_version="1")
        def cut() -> dg.MaterializeResult:
            self.ran.append("cut")
            return dg.MaterializeResult(data_version=dg.DataVersion(str(next(versions))))

        self.refresher = Refresher(dg.Definitions([captions, scores, cut]), instance)

    def refresh(self) -> list[str]:
        """Run what is due, and say what that was."""
        self.ran.clear()
        targets = [Target("captions", ["s"]), Target("scores", ["s"]), Target("cut")]
        self.refresher.run(targets, lambda asset, partition: None)
        return list(self.ran)


@pytest.fixture
def graph() -> Graph:
    return Graph(dg.DagsterInstance.ephemeral())


def test_partition_is_stale_until_nothing_fails_and_is_tried_by_every_run(graph: Graph) -> None:
    graph.failing = 47
    assert graph.refresh() == ["captions", "scores", "cut"]
    found = graph.refresher.examine()
    (cause,) = found.state(CAPTIONS).causes
    assert str(cause) == "47 rows failed for a transient reason"
    words = Words(graph.refresher.instance)
    assert words.why(found, CAPTIONS) == ["47 rows failed for a transient reason"]
    assert words.why(found, SCORES) == [
        "upstream captions[s] is to be asked again: 47 rows failed for a transient reason"
    ]
    assert [found.state(cell).status for cell in (SCORES, CUT)] == [Status.STALE] * 2

    assert graph.refresh() == ["captions"]  # nothing new came, so scores stay as they are
    graph.failing = 0
    assert graph.refresh() == ["captions", "scores", "cut"]
    assert not list(graph.refresher.examine().stale())
    assert graph.refresh() == []


def test_what_fails_for_ever_holds_up_nothing_and_is_tried_once_a_fix(graph: Graph) -> None:
    graph.failing = 3
    graph.refresh()
    graph.content, graph.failing = "2", 1
    graph.ran.clear()
    done = fix(graph.refresher)
    assert graph.ran == ["captions", "scores", "cut"]
    assert not done.failed and CAPTIONS in done.left
    graph.ran.clear()
    assert list(planned(graph.refresher.examine())) == ["captions", "scores", "cut"]
    fix(graph.refresher)
    assert graph.ran == ["captions"]


def test_the_sensor_counts_its_tries_however_many_rows_still_fail() -> None:
    def stale(rows: int) -> Staleness:
        cause = Cause(Reason.PASSING, after=f"{rows} rows")
        return Staleness({"captions": {"s": CellState(Status.STALE, (cause,))}})

    now = datetime(2026, 1, 1, tzinfo=UTC)
    tried: Mapping[str, Tried] = {}
    wave = None
    for rows in range(47, 47 - TRIES, -1):
        wave = next_wave(stale(rows), tried, set(), 10, now)
        assert wave.work == {"captions": ["s"]}
        assert not next_wave(stale(rows), wave.tried, set(), 10, now).work  # it pauses
        now, tried = now + PAUSES[-1], wave.tried
    assert wave is not None
    for rows in (46, 47, 12):
        wave = next_wave(stale(rows), wave.tried, set(), 10, now)
        assert (wave.work, wave.given_up) == ({}, (CAPTIONS,))


@pytest.mark.parametrize(
    ("number", "noun", "said"), [(1, "row", "1 row"), (1200, "call", "1,200 calls")]
)
def test_tags_say_how_many_of_what(number: int, noun: str, said: str) -> None:
    assert to_ask_again(passing_tags(number, noun)) == said
    assert to_ask_again(passing_tags(0, noun)) == ""
