"""Cases in which Dagster's own staleness was measured to answer wrongly, its answer beside ours."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine, event

from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets_tests.lineage.little_graphs import World

FRESH, STALE = Status.FRESH, Status.STALE
LETTERS = dg.StaticPartitionsDefinition(["a", "b"])
Case = tuple[Sequence[Any], Cell]


def asked_without_partition(world: World) -> Case:
    up, down = world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])
    for key in LETTERS.get_partition_keys():
        world.make([up, down], "up", key)
        world.make([up, down], "down", key)
    world.contents["up", "a"] = "1"
    world.make([up, down], "up", "a")
    return [up, down], Cell("down")


def code_changed_two_hops_up(world: World) -> Case:
    first = world.asset("first", LETTERS)
    rest = [world.asset("second", LETTERS, ["first"]), world.asset("third", LETTERS, ["second"])]
    for name in ("first", "second", "third"):
        world.make([first, *rest], name, "a")
    return [world.asset("first", LETTERS, code_version="2"), *rest], Cell("third", "a")


def same_code_other_content_unversioned(world: World) -> Case:
    assets = [world.asset("up", LETTERS, versioned=False), world.asset("down", LETTERS, ["up"])]
    for name in ("up", "down", "up"):
        world.make(assets, name, "a")
    return assets, Cell("down", "a")


def same_code_other_content_versioned(world: World) -> Case:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    world.make(assets, "up", "a")
    world.make(assets, "down", "a")
    world.contents["up", "a"] = "1"
    world.make(assets, "up", "a")
    return assets, Cell("down", "a")


def fan_in(width: int) -> Callable[[World], Case]:
    def build(world: World) -> Case:
        keys = [f"{number:04d}" for number in range(width)]
        partitions = dg.StaticPartitionsDefinition(keys)
        assets = [
            world.asset("up", partitions),
            world.asset(
                "down", deps=[dg.AssetDep("up", partition_mapping=dg.AllPartitionMapping())]
            ),
        ]
        world.report("up", keys[0], "0")
        world.repeat("up", keys[0], keys[1:-1])
        world.report("up", keys[-1], "0")  # the event that Dagster takes for the asset's latest
        world.make(assets, "down")
        assert world.staleness(assets).state(Cell("down")).status is FRESH
        world.report("up", keys[width // 2], "1")
        return assets, Cell("down")

    return build


def rounds(count: int) -> Callable[[World], Case]:
    def build(world: World) -> Case:
        weeks = dg.WeeklyPartitionsDefinition("2020-01-05", end_date="2032-01-01")
        keys = weeks.get_partition_keys()[:count]
        weeks = dg.WeeklyPartitionsDefinition(keys[0], end_date=weeks.get_partition_keys()[count])
        before = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
        assets = [world.asset("rounds", weeks, [dg.AssetDep("rounds", partition_mapping=before)])]
        world.make(assets, "rounds", keys[0])
        world.make(assets, "rounds", keys[1], through=keys[-1])
        assert not list(world.staleness(assets).stale())
        world.contents["rounds", keys[0]] = "1"
        world.make(assets, "rounds", keys[0])
        return assets, Cell("rounds", keys[1])

    return build


@pytest.mark.parametrize(
    ("build", "dagster_says", "true"),
    [
        pytest.param(asked_without_partition, FRESH, STALE, id="no partition key given"),
        pytest.param(code_changed_two_hops_up, FRESH, STALE, id="code changed two hops up"),
        pytest.param(same_code_other_content_unversioned, FRESH, STALE, id="no data version"),
        pytest.param(same_code_other_content_versioned, STALE, STALE, id="content hash"),
        pytest.param(fan_in(99), STALE, STALE, id="fan-in of 99"),
        pytest.param(fan_in(100), FRESH, STALE, id="fan-in of 100"),
        pytest.param(fan_in(5000), FRESH, STALE, id="fan-in of 5,000"),
        pytest.param(rounds(99), STALE, STALE, id="99 rounds"),
        pytest.param(rounds(150), FRESH, STALE, id="150 rounds"),
    ],
)
def test_what_dagster_says_and_what_is_true(
    world: World, build: Callable[[World], Case], dagster_says: Status, true: Status
) -> None:
    assets, cell = build(world)
    assert world.dagster_says(assets, cell) is dagster_says
    assert world.staleness(assets).state(cell).status is true


def test_runs_for_stale_assets_only_never_start_for_partitions(world: World) -> None:
    """A request for stale assets asks for the asset as a whole; ours names the partitions."""
    assets, cell = asked_without_partition(world)
    assert world.dagster_says(assets, cell) is FRESH
    assert [c for c, _ in world.staleness(assets).stale()] == [Cell("down", "a")]


def test_queries_do_not_grow_with_partitions(world: World) -> None:
    """Dagster's resolver asks at least once a partition."""
    counted: list[str] = []

    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        counted.append(statement)

    event.listen(Engine, "before_cursor_execute", count)
    spent: dict[int, tuple[int, int]] = {}
    try:
        for width in (10, 40):
            keys = [f"{width}-{number}" for number in range(width)]
            partitions = dg.StaticPartitionsDefinition(keys)
            assets = [
                world.asset(f"up{width}", partitions),
                world.asset(f"down{width}", partitions, [f"up{width}"]),
            ]
            for name in ("up", "down"):
                world.make(assets, f"{name}{width}", keys[0], through=keys[-1])
            counted.clear()
            world.staleness(assets)
            ours = len(counted)
            counted.clear()
            for key in keys:
                world.dagster_says(assets, Cell(f"down{width}", key))
            spent[width] = ours, len(counted)
    finally:
        event.remove(Engine, "before_cursor_execute", count)
    assert spent[10][0] == spent[40][0]
    assert spent[40][1] >= 40 > spent[40][0]
