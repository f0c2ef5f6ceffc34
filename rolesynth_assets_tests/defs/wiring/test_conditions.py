"""When the cheap assets start, on a little graph of the same shape and on the real definitions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from rolesynth_assets import definitions
from rolesynth_assets.defs.wiring import conditions
from rolesynth_assets_tests.defs.small_graph import SmallGraph

SHARDS = dg.DynamicPartitionsDefinition(name="shards")
ROLE_SETS = dg.StaticPartitionsDefinition(["few", "many"])
CELLS = dg.MultiPartitionsDefinition({"shard": SHARDS, "role_set": ROLE_SETS})
OF_ROLE_SET = dg.MultiToSingleDimensionPartitionMapping("role_set")
NOON = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


class Clock:
    """A graph with the filter's shape, ticked at times of its own.

    Attributes:
        contents: data version of what is made next, by asset.
        passed: whether blocking checks pass.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.contents: dict[str, str] = {}
        self.passed = True
        self.now = NOON
        self.cursor: Any = None
        self.defs = dg.Definitions(
            assets=[
                self.asset("caption_scores", CELLS, [], None, check=True),
                self.asset(
                    "filter_cutoffs",
                    ROLE_SETS,
                    [dg.AssetDep("caption_scores", partition_mapping=OF_ROLE_SET)],
                    conditions.FAN_IN,
                ),
                self.asset(
                    "filtered_pairs",
                    CELLS,
                    [
                        "caption_scores",
                        dg.AssetDep("filter_cutoffs", partition_mapping=OF_ROLE_SET),
                    ],
                    conditions.RECUT,
                ),
                self.asset("dataset_card", ROLE_SETS, ["filter_cutoffs"], conditions.PAGE),
                self.asset("partition_health", None, [], conditions.DAILY),
            ]
        )

    def asset(
        self,
        name: str,
        partitions: dg.PartitionsDefinition | None,
        deps: list,
        condition: dg.AutomationCondition | None,
        *,
        check: bool = False,
    ) -> dg.AssetsDefinition:
        specs = [dg.AssetCheckSpec("good", asset=name, blocking=True, partitions_def=partitions)]

        @dg.asset(
            name=name,
            partitions_def=partitions,
            deps=deps,
            automation_condition=condition,
            check_specs=specs if check else None,
        )
        def made() -> dg.MaterializeResult:
            found = [dg.AssetCheckResult(passed=self.passed, check_name="good")] if check else []
            version = self.contents.get(name, "0")
            return dg.MaterializeResult(data_version=dg.DataVersion(version), check_results=found)

        return made

    def make(self, asset: str, partition: str | None = None, content: str | None = None) -> None:
        if content is not None:
            self.contents[asset] = content
        self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset)],
            partition_key=partition,
            raise_on_error=False,
        )

    def tick(self, **later: float) -> set[tuple[str, str | None]]:
        """Go on in time and return what is requested."""
        self.now += timedelta(**later)
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, cursor=self.cursor, evaluation_time=self.now
        )
        self.cursor = result.cursor
        return {
            (key.to_user_string(), partition)
            for key in self.defs.resolve_asset_graph().materializable_asset_keys
            for partition in result.get_requested_partitions(key)
        }


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Two shards and two role sets, all of it made, and one tick gone by."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("shards", ["s0", "s1"])
        made = Clock(instance)
        for asset in ("caption_scores", "filter_cutoffs", "filtered_pairs", "dataset_card"):
            cells = asset in ("caption_scores", "filtered_pairs")
            for key in (CELLS if cells else ROLE_SETS).get_partition_keys(
                dynamic_partitions_store=instance
            ):
                made.make(asset, key)
        assert made.tick() == set()
        yield made


def test_fan_in_waits_for_the_hour_and_is_made_once(clock: Clock) -> None:
    clock.make("caption_scores", "few|s0", "1")
    assert clock.tick(minutes=5) == set()
    clock.make("caption_scores", "few|s1", "1")
    assert clock.tick(minutes=40) == {("filter_cutoffs", "few")}
    assert clock.tick(hours=1) == set()  # it was requested; whether it failed or not


def test_cell_follows_the_cut_alone(clock: Clock) -> None:
    clock.make("caption_scores", "few|s0", "1")
    clock.tick(minutes=1)
    clock.make("filter_cutoffs", "few", "1")
    found = clock.tick(minutes=1)
    assert found == {
        ("filtered_pairs", "few|s0"),
        ("filtered_pairs", "few|s1"),
        ("dataset_card", "few"),
    }


def test_same_content_starts_nothing(clock: Clock) -> None:
    clock.make("caption_scores", "few|s0")
    clock.make("filter_cutoffs", "few")
    assert clock.tick(hours=1) == set()


def test_missing_shard_holds_up_its_own_cell_and_no_fan_in(clock: Clock) -> None:
    clock.instance.add_dynamic_partitions("shards", ["s2"])
    clock.make("caption_scores", "few|s0", "1")
    assert clock.tick(hours=1) == {("filter_cutoffs", "few")}
    clock.make("filter_cutoffs", "few", "1")
    assert ("filtered_pairs", "few|s2") not in clock.tick(minutes=1)


def test_nothing_is_made_from_what_failed_a_blocking_check(clock: Clock) -> None:
    clock.passed = False
    clock.make("caption_scores", "few|s0", "1")
    assert clock.tick(hours=1) == set()
    clock.passed = True
    clock.make("caption_scores", "few|s0", "1")
    assert clock.tick(hours=1) == {("filter_cutoffs", "few")}


def test_fan_in_over_more_than_a_hundred_is_seen(clock: Clock) -> None:
    """Dagster's staleness says nothing from 100 upstream partitions on."""
    clock.instance.add_dynamic_partitions("shards", [f"t{number}" for number in range(120)])
    clock.make("caption_scores", "few|t7", "new")
    assert clock.tick(hours=1) == {("filter_cutoffs", "few")}


def test_health_once_a_day(clock: Clock) -> None:
    assert clock.tick(hours=24) == {("partition_health", None)}
    assert clock.tick(hours=2) == set()


def test_real_definitions_make_the_tables_and_pages_of_new_scores(graph: SmallGraph) -> None:
    shard = graph.add_shard("few", range(2))
    graph.refresh()
    defs, now = definitions.defs, NOON

    def tick(cursor: Any = None) -> dg.EvaluateAutomationConditionsResult:
        return dg.evaluate_automation_conditions(
            defs, graph.instance, cursor=cursor, evaluation_time=now
        )

    first = tick()
    assert first.total_requested == 0
    graph.set_thresholds(min_score_std=0.0, max_one_score_share=1.0)
    graph.models.judge = lambda request: "50\nall alike"
    graph.store.remove("scores", "score < 90")
    graph.materialize("caption_scores", f"{shard}|generic1")
    now += timedelta(hours=1)
    second = tick(first.cursor)
    asked = {
        (key.to_user_string(), partition)
        for key in defs.resolve_asset_graph().materializable_asset_keys
        for partition in second.get_requested_partitions(key)
    }
    assert asked == {("filter_cutoffs", "generic1")}
