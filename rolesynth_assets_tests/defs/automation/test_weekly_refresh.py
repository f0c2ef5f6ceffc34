from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import dagster as dg
import pytest

from rolesynth_assets import definitions
from rolesynth_assets.defs.automation import weekly_refresh as weekly_refresh_module
from rolesynth_assets.defs.automation.weekly_refresh import refresh, weekly_refresh
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets.lineage import watched_images
from rolesynth_assets_tests.defs.small_graph import SmallGraph, write_pictures

MONDAY = datetime(2026, 3, 2, 3, tzinfo=UTC)


def tick(due: datetime, now: datetime) -> dg.RunRequest | dg.SkipReason:
    with patch.object(weekly_refresh_module, "now", lambda: now):
        found = weekly_refresh(dg.build_schedule_context(scheduled_execution_time=due))
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


def test_each_week_has_one_run_key() -> None:
    found = [
        tick(MONDAY + timedelta(weeks=week), MONDAY + timedelta(weeks=week)) for week in (0, 1)
    ]
    keys = [request.run_key for request in found if isinstance(request, dg.RunRequest)]
    assert keys == ["weekly_refresh/2026-W10", "weekly_refresh/2026-W11"]
    assert tick(MONDAY, MONDAY + timedelta(days=2)) == tick(MONDAY, MONDAY)  # a late start


def test_of_missed_ticks_the_latest_alone_runs() -> None:
    """The daemon was down for three weeks: it gives all ticks that it missed."""
    now = MONDAY + timedelta(weeks=3, hours=5)
    found = [tick(MONDAY + timedelta(weeks=week), now) for week in range(4)]
    assert [isinstance(request, dg.RunRequest) for request in found] == [False] * 3 + [True]


@pytest.fixture
def watched(graph: SmallGraph) -> Iterator[SmallGraph]:
    graph.patch.setenv("ROLESYNTH_IMAGES", str(graph.project / "watched"))
    graph.patch.setattr(watched_images, "SETTLED_S", 0.0)
    graph.patch.setattr(weekly_refresh_module, "WAIT_S", 0.0)
    yield graph


def run(graph: SmallGraph, **limits: int) -> dg.ExecuteInProcessResult:
    return refresh.execute_in_process(
        instance=graph.instance,
        resources={"platform": Platform(), "code_location": CodeLocation(lambda: definitions.defs)},
        run_config={
            "ops": {"refresh_everything": {"config": limits}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        raise_on_error=False,
    )


def outcome(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = [
        e
        for e in result.all_events
        if e.event_type_value in ("STEP_OUTPUT", "STEP_FAILURE") and e.is_step_event
    ]
    data = event.event_specific_data
    metadata = getattr(data, "metadata", None) or data.user_failure_data.metadata  # type: ignore[union-attr]
    return {name: value.value for name, value in metadata.items()}


def test_new_images_go_through_the_role_sets_in_use(watched: SmallGraph) -> None:
    write_pictures(watched.project / "watched", range(2))
    first = outcome(run(watched))
    assert first["rolesynth/calls"] == 0  # nothing is begun by a clock but the reading in
    assert watched.store.count("images") == 2
    watched.refresh(["generic1"])
    watched.models.forget()
    write_pictures(watched.project / "watched", range(2, 5))
    second = outcome(run(watched))
    assert len(watched.models.captioned) == len(watched.models.judged) == 3 * 2
    assert second["rolesynth/calls"] == 12
    assert second["rolesynth/left"] == []
    assert watched.store.count("pairs") == 10
    assert watched.materializations("partition_health")
    third = outcome(run(watched))
    assert (third["rolesynth/made"], third["rolesynth/calls"]) == (0, 0)


PRICES = """
prices:
  captioner: {per_million_prompt_tokens: 100, per_call: 0.5}
  judge: {per_call: 0.25}
"""


def test_cost_is_told_and_its_cap_lists_what_is_left(watched: SmallGraph) -> None:
    (watched.project / "rolesynth.yaml").write_text(f"{PRICES}max_refresh_cost: 4.5\n")
    write_pictures(watched.project / "watched", range(2))
    run(watched)
    watched.refresh(["generic1"])
    write_pictures(watched.project / "watched", range(2, 5))
    first = outcome(run(watched))
    tokens = sum(len(r.prompt.split()) for r in watched.models.captioned[-6:])
    assert first["rolesynth/prompt_tokens"] == tokens + sum(
        len(r.prompt.split()) for r in watched.models.judged[-6:]
    )
    # 6 captions come to less than the cap, with 6 scores it is passed, and the rest waits
    assert first["rolesynth/cost"] == pytest.approx(6 * 0.5 + tokens * 1e-4 + 6 * 0.25)
    assert "was spent, the cap is 4.50" in str(first["rolesynth/ended"])
    left = list(map(str, first["rolesynth/left"]))  # type: ignore[call-overload]
    assert (left[0], left[-1]) == ("filter_cutoffs[generic1]", "dataset_card[generic1]")
    second = outcome(run(watched))
    assert (second["rolesynth/cost"], second["rolesynth/left"]) == (0, [])
    assert second["rolesynth/ended"] == "nothing more was due"


def test_failure_is_told_after_all_else_was_made(watched: SmallGraph) -> None:
    write_pictures(watched.project / "watched", range(2))
    run(watched)
    watched.refresh(["generic1"])

    def broken(request: object) -> str:
        raise RuntimeError("the model is down")

    watched.models.caption = broken
    write_pictures(watched.project / "watched", range(2, 3))
    result = run(watched, attempts=1)
    assert not result.success
    told = outcome(result)
    assert told["rolesynth/made"] == 1  # the new shard's images
    assert list(told["rolesynth/failed"]) == ["raw_captions[watched-0001|generic1]"]  # type: ignore[call-overload]
    assert "the model is down" in str(told["rolesynth/failed"])
