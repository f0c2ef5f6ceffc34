"""Bringing stale partitions up to date through real runs."""

import re
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import PartitionBackfill

from rolesynth_assets.defs.wiring.resources import paid_although_failed
from rolesynth_assets.lineage.refresh.one_at_a_time import BusyError, alone
from rolesynth_assets.lineage.refresh.rematerialize import Limits, fix, planned
from rolesynth_assets.lineage.refresh.runner import Refresher, Target
from rolesynth_assets.lineage.refresh.tagged_runs import common_tag, in_progress
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.mllm.cost.metered import Meter
from rolesynth_assets.mllm.cost.prices import Prices
from rolesynth_assets.mllm.cost.spent import Spent
from rolesynth_assets.mllm.engine import ChatReply, EngineError
from rolesynth_assets_tests.lineage.little_graphs import FIRST_ROUNDS, World, rounds

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])
ALL = dg.AllPartitionMapping()


def chain(world: World) -> list:
    """Three assets, the last over all partitions, each made once."""
    assets = [
        world.asset("first", LETTERS),
        world.asset("second", LETTERS, ["first"]),
        world.asset("all", deps=[dg.AssetDep("second", partition_mapping=ALL)]),
    ]
    for name in ("first", "second"):
        for key in LETTERS.get_partition_keys():
            world.make(assets, name, key)
    world.make(assets, "all")
    world.ran.clear()
    return assets


def refresher(world: World, assets: list) -> Refresher:
    return Refresher(dg.Definitions(assets=assets), world.instance)


def anything(cell: Cell, status: Status) -> bool:
    return True


def names(cells: list[Cell]) -> list[str]:
    return [str(cell) for cell in cells]


def test_exactly_what_is_stale_is_made_in_order_and_then_nothing_is(world: World) -> None:
    assets = chain(world)
    world.contents["first", "b"] = world.contents["second", "b"] = "1"
    world.make(assets, "first", "b")
    world.ran.clear()
    running = refresher(world, assets)
    assert planned(running.examine()) == {"second": ["b"], "all": [None]}
    done = fix(running)
    assert names(done.made) == names(world.ran) == ["second[b]", "all"]
    assert not list(running.examine().stale())
    assert fix(running).made == []


def test_what_comes_out_as_before_ends_the_work_downstream(world: World) -> None:
    assets = chain(world)
    assets[0] = world.asset("first", LETTERS, code_version="2")
    running = refresher(world, assets)
    plan = planned(running.examine())
    assert {asset: len(keys) for asset, keys in plan.items()} == {"first": 3, "second": 3, "all": 1}
    assert names(fix(running).made) == ["first[a]", "first[b]", "first[c]"]
    assert not list(running.examine().stale())


def test_rounds_that_are_made_from_each_other_are_made_in_one_go(world: World) -> None:
    first, second = (f"rounds[{key}]" for key in FIRST_ROUNDS)
    running = refresher(world, rounds(world))
    done = fix(running, anything)
    assert (names(done.made), done.left) == ([first, second], [])
    world.contents["rounds", FIRST_ROUNDS[0]] = "1"
    running = refresher(world, rounds(world, code_version="2"))
    assert names(fix(running, limits=Limits(partitions=1)).made) == [first]
    done = fix(running)
    assert (names(done.made), done.left) == ([second], [])
    assert not list(running.examine().stale())
    running = refresher(world, rounds(world, code_version="3"))
    done = fix(running)
    assert (names(done.made), done.left) == ([first, second], [])


def test_runs_of_one_fix_share_a_tag_one_for_each_partition(world: World) -> None:
    assets = chain(world)
    assets[0] = world.asset("first", LETTERS, code_version="2")
    world.contents |= {("first", "a"): "1", ("second", "a"): "1"}
    tags = common_tag("fix")
    assert tags != common_tag("fix")
    fix(refresher(world, assets), tags=tags)
    runs = world.instance.get_runs(dg.RunsFilter(tags=tags))
    assert sorted(
        f"{key.to_user_string()}[{run.tags.get('dagster/partition')}]"
        for run in runs
        for key in run.asset_selection or ()
    ) == ["all[None]", "first[a]", "first[b]", "first[c]", "second[a]"]
    assert all(run.is_success for run in runs)


def test_missing_is_made_only_where_it_is_wanted(world: World) -> None:
    assets = [world.asset("first", LETTERS), world.asset("second", LETTERS, ["first"])]
    world.make(assets, "first", "a")
    world.ran.clear()
    running = refresher(world, assets)
    assert not fix(running).made

    def wanted(cell: Cell, status: Status) -> bool:
        return cell.partition in ("a", "b")

    assert names(fix(running, wanted).made) == ["first[b]", "second[a]", "second[b]"]


def test_wiped_upstream_is_made_again_first(world: World) -> None:
    assets = chain(world)
    world.instance.wipe_assets([dg.AssetKey("first"), dg.AssetKey("second")])
    running = refresher(world, assets)
    done = fix(running)
    assert len(done.made) == 6
    assert {cell.asset for cell in done.made} == {"first", "second"}
    assert not list(running.examine().stale())  # all of it came out as before


def failing(world: World, bad: set[str | None]) -> dg.AssetsDefinition:
    @dg.asset(partitions_def=LETTERS, deps=["first"], code_version="1", name="second")
    def second(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        world.ran.append(Cell("second", context.partition_key))
        if context.partition_key in bad:
            raise RuntimeError("no space left")
        version = world.contents.get(("first", context.partition_key), "0")
        return dg.MaterializeResult(
            data_version=dg.DataVersion(version), metadata={"rolesynth/calls": 10}
        )

    return second


def test_failing_partition_holds_up_nothing_else_and_is_tried_a_few_times(world: World) -> None:
    assets = chain(world)
    assets[1] = failing(world, {"a"})
    for key in LETTERS.get_partition_keys():
        world.contents["first", key] = "1"
        world.make(assets, "first", key)
    world.ran.clear()
    running = refresher(world, assets)
    tags = common_tag("fix")
    done = fix(running, limits=Limits(attempts=3), tags=tags)
    assert world.ran.count(Cell("second", "a")) == 3
    assert names(done.made) == ["second[b]", "second[c]", "all"]
    assert list(map(str, done.failed)) == ["second[a]"]
    assert "no space left" in done.failed[Cell("second", "a")]
    assert names(done.left) == ["all"]  # it lacks what failed
    runs = world.instance.get_runs(dg.RunsFilter(tags=tags))
    assert [run.is_success for run in runs].count(False) == 3
    assert len(runs) == 6


def test_nothing_is_made_from_content_that_failed_a_blocking_check(world: World) -> None:
    passed = [True]

    @dg.asset(
        partitions_def=LETTERS,
        check_specs=[dg.AssetCheckSpec("good", asset="up", blocking=True, partitions_def=LETTERS)],
    )
    def up(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return dg.MaterializeResult(
            data_version=dg.DataVersion(str(passed[0])),
            check_results=[
                dg.AssetCheckResult(
                    passed=passed[0] or context.partition_key != "a", check_name="good"
                )
            ],
            metadata={"rolesynth/calls": 7, "rolesynth/cost": 0.5},
        )

    fan_in = dg.AssetDep("up", partition_mapping=ALL)
    assets = [up, world.asset("down", LETTERS, ["up"]), world.asset("all", deps=[fan_in])]
    running = refresher(world, assets)
    fix(running, anything)
    world.ran.clear()
    passed[0] = False
    for key in ("a", "b"):
        world.make(assets, "up", key)
    done = fix(running)
    assert "blocking check good failed" in done.failed[Cell("up", "a")]
    assert done.spent == Spent(calls=7, cost=0.5)  # it was paid for, though it failed
    assert names(world.ran) == ["down[b]"]
    assert names(done.left) == ["all", "down[a]"]


def test_caps_end_the_work_and_what_is_left_is_told(world: World) -> None:
    assets = chain(world)
    assets[1] = failing(world, set())
    for key in LETTERS.get_partition_keys():
        world.contents["first", key] = "1"
        world.make(assets, "first", key)
    running = refresher(world, assets)
    done = fix(running, limits=Limits(calls=25))
    assert names(done.made) == ["second[a]", "second[b]"]
    assert done.spent.calls == 20
    assert done.ended == "20 model calls were made, the cap is 25, one more partition takes 10"
    assert names(done.left) == ["second[c]", "all"]
    done = fix(running, limits=Limits(partitions=1))
    assert (names(done.made), names(done.left)) == (["second[c]"], ["all"])
    assert done.ended == "at most 1 partition to be made"
    assert names(fix(running).made) == ["all"]


def test_refresher_makes_what_is_due_of_its_targets_and_no_more(world: World) -> None:
    assets = chain(world)
    assets[0] = world.asset("first", LETTERS, code_version="2")
    running = refresher(world, assets)
    report = running.run([Target("all")], lambda asset, key: None)
    assert report.ran == {"all": 0}  # it is stale, but not by itself: it would come out as before
    report = running.run([Target("first", ["a", "b"]), Target("all")], lambda asset, key: None)
    assert report.ran == {"first": 2, "all": 0}


def test_a_failing_partition_holds_up_only_what_is_made_from_it(world: World) -> None:
    assets = chain(world)
    assets[1] = failing(world, {"a"})
    for key in LETTERS.get_partition_keys():
        world.contents["first", key] = "1"
        world.make(assets, "first", key)
    world.ran.clear()
    targets = [Target("second", ["a", "b"]), Target("all")]
    report = refresher(world, assets).run(targets, lambda asset, key: None)
    assert names(world.ran) == ["second[a]", "second[b]", "all"]
    assert report.ran == {"second": 1, "all": 1}
    (said,) = report.failed.values()
    assert re.match(r"second\[a\] failed: .*no space left", said)
    assert report.spent.calls == 10


def test_what_would_fail_everywhere_is_tried_once(world: World) -> None:
    tried: list[str] = []

    @dg.asset(partitions_def=LETTERS)
    def asked(context: dg.AssetExecutionContext) -> None:
        tried.append(context.partition_key)
        raise EngineError("no server answers")

    running = refresher(world, [asked, world.asset("down", LETTERS, ["asked"])])
    keys = LETTERS.get_partition_keys()
    targets = [Target("asked", keys), Target("down", keys)]
    report = running.run(targets, lambda asset, key: None)
    assert tried == ["a"]
    assert list(map(str, report.failed)) == ["asked[a]"]
    assert names(report.waiting) == ["asked[b]", "asked[c]", "down[a]", "down[b]", "down[c]"]
    done = fix(running, anything)
    assert tried == ["a", "a"]
    assert list(map(str, done.failed)) == ["asked[a]"]


def test_calls_of_a_failed_attempt_count_towards_the_cap(world: World) -> None:
    @dg.asset(partitions_def=LETTERS)
    def asked(context: dg.AssetExecutionContext) -> None:
        meter = Meter(Prices(per_call=0.5))
        with paid_although_failed(meter):
            for _ in range(10):
                meter.count(ChatReply("k", "text", None, prompt_tokens=3))
            raise RuntimeError("cut off")

    done = fix(refresher(world, [asked]), anything, Limits(calls=25, attempts=2))
    assert done.spent == Spent(20, 60, 0, 10.0)
    assert list(done.failed) == [Cell("asked", "a")]
    assert "asked[a] failed: RuntimeError: cut off (run " in done.failed[Cell("asked", "a")]
    assert done.ended.startswith("20 model calls were made, the cap is 25")


def test_runs_and_backfills_that_have_not_ended_are_in_progress(world: World) -> None:
    assets = chain(world)
    running = refresher(world, assets)
    graph, instance = running.graph, world.instance
    assert in_progress(graph, instance) == set()
    asset_job = dg.Definitions(assets=assets).resolve_implicit_global_asset_job_def()
    for key, tags in (
        ("second", {"dagster/partition": "a"}),
        ("all", {}),
        ("gone", {}),  # of an asset that is no longer there
    ):
        instance.create_run_for_job(
            asset_job,
            tags=tags,
            asset_selection=frozenset([dg.AssetKey(key)]) if key != "gone" else None,
            status=dg.DagsterRunStatus.NOT_STARTED,
        )
    backfill_in_the_ui(running, "first", {"b", "c"})
    assert in_progress(graph, instance) == {
        Cell("second", "a"),
        Cell("all"),
        Cell("first", "b"),
        Cell("first", "c"),
    }


def backfill_in_the_ui(running: Refresher, asset: str, partitions: set[str]) -> None:
    """What the UI's button writes for Dagster's daemon."""
    key = dg.AssetKey(asset)
    with dg.partition_loading_context(dynamic_partitions_store=running.instance):
        running.instance.add_backfill(
            PartitionBackfill.from_asset_partitions(
                asset_graph=running.graph,
                backfill_id="by-hand",
                tags={},
                backfill_timestamp=0.0,
                asset_selection=[key],
                partition_names=sorted(partitions),
                dynamic_partitions_store=running.instance,
                all_partitions=False,
                title=None,
                description=None,
                run_config=None,
            )
        )


def test_two_do_not_work_at_once(tmp_path: Path) -> None:
    with alone(tmp_path):
        with pytest.raises(BusyError, match="another process"), alone(tmp_path):
            pass
        with alone(tmp_path / "another data root"):
            pass
    with alone(tmp_path):
        pass
