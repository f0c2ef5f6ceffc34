"""The job that makes what is stale: what `rolesynth stale --fix` does, from the UI."""

import dagster as dg
import pytest

from rolesynth_assets.defs.automation.make_stale import make_what_is_stale
from rolesynth_assets.defs.wiring.code_location import CodeLocation
from rolesynth_assets.defs.wiring.resources import Platform
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


@pytest.fixture
def world():
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(instance)


@pytest.fixture
def stale(world: World) -> list:
    """`up[a]`, `up[b]` are stale for their code, `down[a]` with them; `other` for new content."""
    assets = [
        world.asset("up", LETTERS),
        world.asset("down", LETTERS, ["up"]),
        world.asset("source"),
        world.asset("other", deps=["source"]),
    ]
    for name in ("up[a]", "up[b]", "down[a]", "source", "other"):
        asset, _, key = name.partition("[")
        world.make(assets, asset, key.removesuffix("]") or None)
    world.contents["source", None] = "1"
    world.make(assets, "source")
    assets[0] = world.asset("up", LETTERS, code_version="2")
    world.contents["up", "a"] = "1"
    world.ran.clear()
    return assets


def run(world: World, graph: list, **config: object) -> dict[str, object]:
    """Run the job; return its output's metadata, or raise what failed."""
    listed = dg.Definitions(assets=graph)
    result = make_what_is_stale.execute_in_process(
        instance=world.instance,
        resources={"platform": Platform(), "code_location": CodeLocation(lambda: listed)},
        run_config={
            "ops": {"make_stale_partitions": {"config": config}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
    )
    (event,) = [e for e in result.all_events if e.event_type_value == "STEP_OUTPUT"]
    metadata = event.step_output_data.metadata
    return {name: value.value for name, value in metadata.items()}


def test_without_a_selection_all_that_is_stale_is_made_in_order(world: World, stale: list) -> None:
    done = run(world, stale)
    assert [str(cell) for cell in world.ran] == ["up[a]", "up[b]", "down[a]", "other"]
    assert done["rolesynth/made"] == 4
    assert run(world, stale)["rolesynth/made"] == 0


def test_the_overview_is_made_after_what_it_is_about(world: World, stale: list) -> None:
    graph = [*stale, world.asset("overview")]
    run(world, graph, assets=["up"])
    assert [str(cell) for cell in world.ran] == ["up[a]", "up[b]", "overview"]
    run(world, graph, assets=["up"])  # nothing was made, so it shows the same
    assert len(world.ran) == 3


def test_a_cause_and_an_asset_choose(world: World, stale: list) -> None:
    assert run(world, stale, cause="CODE VERSION", assets=["up"], max_partitions=1)[
        "rolesynth/ended"
    ] == "at most 1 partition to be made"  # fmt: skip
    assert [str(cell) for cell in world.ran] == ["up[a]"]
    run(world, stale, cause="source changed")
    assert [str(cell) for cell in world.ran] == ["up[a]", "other"]


def test_what_follows_from_a_cause_is_made_with_it(world: World, stale: list) -> None:
    run(world, stale, cause="code version 1 -> 2")
    assert [str(cell) for cell in world.ran] == ["up[a]", "up[b]", "down[a]"]


def test_a_plan_spends_nothing(world: World, stale: list) -> None:
    plan = run(world, stale, only_list=True)["rolesynth/plan"]
    assert plan == {"up": ["a", "b"], "down": ["a"], "other": ["None"]}
    assert not world.ran


def test_an_unknown_asset_lists_the_known_ones(world: World, stale: list) -> None:
    with pytest.raises(dg.Failure, match="no asset captions; there are"):
        run(world, stale, assets=["captions"])


def test_its_runs_share_a_tag_and_are_named_for_their_cause(world: World, stale: list) -> None:
    tag = run(world, stale, assets=["up"])["rolesynth/rematerialize"]
    runs = world.instance.get_runs(dg.RunsFilter(tags={"rolesynth/rematerialize": str(tag)}))
    (job,) = [run for run in runs if run.job_name == "make_what_is_stale"]  # what started them
    assert {run.tags["rolesynth/what"] for run in runs if run != job} == {
        "make what is stale: code version 1 -> 2"
    }
