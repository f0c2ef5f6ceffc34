"""Ticks of the sensor as Dagster's daemon makes them: its cursor goes from tick to tick."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from rolesynth_assets.defs.automation import stale_sensor
from rolesynth_assets.lineage.refresh.one_at_a_time import alone
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


class Daemon:
    """Ticks the sensor, and works off the backfills that it requests."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cursor: str | None = None

    def tick(self, assets: list) -> str:
        definitions = dg.Definitions(assets=assets, sensors=[stale_sensor.rematerialize_stale])
        context = dg.build_sensor_context(
            instance=self.world.instance,
            repository_def=definitions.get_repository_def(),
            cursor=self.cursor,
        )
        found = stale_sensor.rematerialize_stale(context)
        assert isinstance(found, dg.SkipReason)
        self.cursor = context.cursor
        return found.skip_message or ""

    def work(self, assets: list) -> list[str]:
        """Run what was requested; return it."""
        worked = []
        for backfill in self.world.instance.get_backfills():
            if backfill.status is not BulkActionStatus.REQUESTED:
                continue
            assert backfill.asset_backfill_data
            for key, partition in sorted(
                backfill.asset_backfill_data.target_subset.iterate_asset_partitions()
            ):
                worked.append(f"{key.to_user_string()}[{partition}]")
                self.world.make(assets, key.to_user_string(), partition)
            self.world.instance.update_backfill(
                backfill.with_status(BulkActionStatus.COMPLETED_SUCCESS)
            )
        return worked


@pytest.fixture
def world() -> Iterator[World]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(instance)


@pytest.fixture
def daemon(world: World) -> Daemon:
    return Daemon(world)


def two_assets(world: World) -> list:
    assets = [world.asset("up", LETTERS), world.asset("down", LETTERS, ["up"])]
    for name in ("up", "down"):
        for key in LETTERS.get_partition_keys():
            world.make(assets, name, key)
    return assets


def test_stale_partitions_are_made_wave_by_wave(world: World, daemon: Daemon) -> None:
    assets = two_assets(world)
    assert daemon.tick(assets) == "Nothing is due."
    assets[0] = world.asset("up", LETTERS, code_version="2")
    world.contents["up", "b"] = "1"
    assert daemon.tick(assets) == "Backfills for stale partitions: 3 of up."
    assert daemon.tick(assets) == "Nothing is due."  # it is under way
    assert daemon.work(assets) == ["up[a]", "up[b]", "up[c]"]
    assert daemon.tick(assets) == "Backfills for stale partitions: 1 of down."
    assert daemon.work(assets) == ["down[b]"]
    assert daemon.tick(assets) == "Nothing is due."
    assert daemon.work(assets) == []


def test_what_fails_is_started_once_until_something_changes(world: World, daemon: Daemon) -> None:
    assets = two_assets(world)

    @dg.asset(name="down", partitions_def=LETTERS, deps=["up"], code_version="1")
    def broken() -> None:
        raise RuntimeError("broken")

    world.contents["up", "a"] = "1"
    world.make(assets, "up", "a")
    assets[1] = broken
    daemon.tick(assets)
    assert daemon.work(assets) == ["down[a]"]
    for _ in range(3):
        told = daemon.tick(assets)
        assert told == "Nothing is due. Given up until something changes: down[a]."
        assert daemon.work(assets) == []
    world.contents["up", "a"] = "2"
    world.make(assets, "up", "a")
    daemon.tick(assets)
    assert daemon.work(assets) == ["down[a]"]


def test_a_tick_starts_no_more_than_the_cap(
    world: World, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_sensor, "CAP", 2)
    assets = two_assets(world)
    assets[0] = world.asset("up", LETTERS, code_version="2")
    told = daemon.tick(assets)
    assert told == "Backfills for stale partitions: 2 of up. 1 put off to the next tick."
    assert daemon.work(assets) == ["up[a]", "up[b]"]
    daemon.tick(assets)
    assert daemon.work(assets) == ["up[c]"]


def test_it_waits_for_whoever_is_at_work(world: World, daemon: Daemon) -> None:
    assets = two_assets(world)
    assets[0] = world.asset("up", LETTERS, code_version="2")
    with alone(world.instance):
        assert "another process" in daemon.tick(assets)
    assert daemon.tick(assets) == "Backfills for stale partitions: 3 of up."


def test_changed_sources_are_noticed(world: World, daemon: Daemon) -> None:
    version = ["1"]

    @dg.observable_source_asset
    def files() -> dg.DataVersion:
        return dg.DataVersion(version[0])

    assets = [files, world.asset("down", LETTERS, ["files"])]
    daemon.tick(assets)
    world.make(assets, "down", "a")
    assert daemon.tick(assets) == "Nothing is due."
    version[0] = "2"
    daemon.tick(assets)
    assert daemon.work(assets) == ["down[a]"]
