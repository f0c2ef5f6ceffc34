"""Ticks of the sensor as Dagster's daemon makes them: its cursor goes from tick to tick."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import dagster as dg
import pytest

from rolesynth_assets.defs.automation import stale_sensor
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.lineage.refresh.one_at_a_time import alone
from rolesynth_assets.lineage.refresh.sensor_tick import read_cursor, write_cursor
from rolesynth_assets_tests.lineage.little_graphs import FIRST_ROUNDS, World, rounds

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


class Daemon:
    """Ticks the sensor, and starts the runs that it requests.

    Attributes:
        now: simulated time of the next tick.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = datetime.now(UTC)
        self.cursor: str | None = None
        self.requested: list[dg.RunRequest] = []

    def tick(self, assets: list) -> str:
        """Evaluate the sensor as the daemon does; return what it says, or what it requests."""
        sensor = stale_sensor.rematerialize_stale
        repository = dg.Definitions(assets=assets, sensors=[sensor]).get_repository_def()
        context = dg.build_sensor_context(
            instance=self.world.instance, repository_def=repository, cursor=self.cursor
        )
        with patch.object(stale_sensor, "now", lambda: self.now):
            found = sensor.evaluate_tick(context)
        for event in found.asset_events:
            self.world.instance.report_runless_asset_event(event)
        self.cursor = found.cursor
        self.requested += found.run_requests or []
        return found.skip_message or ", ".join(map(named, found.run_requests or []))

    def queue(self, assets: list) -> None:
        """Store the requested runs as the daemon does, before any of them is begun."""
        repository = dg.Definitions(assets=assets).get_repository_def()
        for request in self.requested:
            self.world.instance.create_run_for_job(
                repository.get_job(str(request.job_name)),
                run_id=request.run_key,
                tags=dict(request.tags),
                asset_selection=frozenset(request.asset_selection or ()),
                status=dg.DagsterRunStatus.NOT_STARTED,
            )

    def work(self, assets: list) -> list[str]:
        """Run what was requested; return it."""
        for run in self.world.instance.get_runs(
            dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED])
        ):
            self.world.instance.delete_run(run.run_id)
        worked, self.requested = self.requested, []
        for request in worked:
            (key,) = list(request.asset_selection or [])
            self.world.make(assets, key.to_user_string(), request.partition_key, tags=request.tags)
        return list(map(named, worked))


def named(request: dg.RunRequest) -> str:
    (key,) = list(request.asset_selection or [])
    return f"{key.to_user_string()}[{request.partition_key}]"


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
    assert daemon.tick(assets) == "up[a], up[b], up[c]"
    daemon.queue(assets)
    daemon.cursor = None  # the daemon may lose it
    assert daemon.tick(assets) == "Nothing is due."  # it is under way
    assert daemon.work(assets) == ["up[a]", "up[b]", "up[c]"]
    assert daemon.tick(assets) == "down[b]"
    assert daemon.work(assets) == ["down[b]"]
    assert daemon.tick(assets) == "Nothing is due."
    assert daemon.work(assets) == []


def test_runs_of_one_tick_share_a_tag_and_take_any_partitioning(
    world: World, daemon: Daemon
) -> None:
    fan_in = dg.AssetDep("down", partition_mapping=dg.AllPartitionMapping())
    assets = [*two_assets(world), world.asset("all", deps=[fan_in])]
    world.make(assets, "all")
    assets[0] = world.asset("up", LETTERS, code_version="2")
    assets[2] = world.asset("all", deps=[fan_in], code_version="2")
    assert daemon.tick(assets) == "up[a], up[b], up[c]"
    (value,) = {request.tags["rolesynth/rematerialize"] for request in daemon.requested}
    assert value.startswith("sensor-")
    daemon.work(assets)
    assert daemon.tick(assets) == "all[None]"
    assert daemon.requested[0].tags["rolesynth/rematerialize"] != value


def test_a_round_made_from_the_one_before_follows_in_the_next_tick(
    world: World, daemon: Daemon
) -> None:
    first, second = FIRST_ROUNDS
    assets = rounds(world)
    world.make(assets, "rounds", first)
    world.make(assets, "rounds", second)
    assets = rounds(world, code_version="2")
    world.contents["rounds", first] = "1"
    daemon.tick(assets)
    assert daemon.work(assets) == [f"rounds[{first}]"]
    daemon.tick(assets)
    assert daemon.work(assets) == [f"rounds[{second}]"]
    assert daemon.tick(assets) == "Nothing is due."


@dg.asset(name="down", partitions_def=LETTERS, deps=["up"], code_version="1")
def broken() -> None:
    raise RuntimeError("the server said no")


def failing(world: World) -> list:
    """`down[a]` is stale, and fails."""
    assets = two_assets(world)
    world.contents["up", "a"] = "1"
    world.make(assets, "up", "a")
    assets[1] = broken
    return assets


def test_what_fails_is_tried_three_times_with_growing_pauses(world: World, daemon: Daemon) -> None:
    assets = failing(world)
    started: list[int] = []
    for minute in range(0, 180, 10):
        daemon.tick(assets)
        if daemon.work(assets):
            started.append(minute)
        daemon.now += timedelta(minutes=10)
    assert started == [0, 10, 130]
    told = daemon.tick(assets)
    assert "down[a] was given up after 3 tries: RuntimeError: the server said no (run " in told
    assert "`rolesynth stale --fix --asset down`" in told


def test_a_pause_is_named(world: World, daemon: Daemon) -> None:
    assets = failing(world)
    daemon.tick(assets)
    daemon.work(assets)
    again = daemon.now + timedelta(minutes=10)
    told = f"Nothing is due. down[a] failed, next try at {again:%H:%M} UTC."
    assert daemon.tick(assets) == told


def given_up(world: World, daemon: Daemon) -> list:
    assets = failing(world)
    for _ in range(3):
        daemon.tick(assets)
        assert daemon.work(assets) == ["down[a]"]
        daemon.now += timedelta(hours=3)
    daemon.tick(assets)
    assert daemon.work(assets) == []
    return assets


def test_what_was_given_up_comes_again_when_its_upstream_changes(
    world: World, daemon: Daemon
) -> None:
    assets = given_up(world, daemon)
    world.make(assets, "up", "a")  # the same content again is no change
    daemon.tick(assets)
    assert daemon.work(assets) == []
    world.contents["up", "a"] = "2"
    world.make(assets, "up", "a")
    daemon.tick(assets)
    assert daemon.work(assets) == ["down[a]"]


def test_a_run_by_hand_clears_what_was_given_up(world: World, daemon: Daemon) -> None:
    assets = given_up(world, daemon)
    # the run by hand has the time of the machine, so the last try must have it too
    tries = read_cursor(daemon.cursor)["down[a]"]
    daemon.cursor = write_cursor({"down[a]": replace(tries, at=datetime.now(UTC).isoformat())})
    world.make(assets, "down", "a")
    daemon.tick(assets)
    assert daemon.work(assets) == ["down[a]"]


def test_observing_the_same_content_again_starts_nothing(world: World, daemon: Daemon) -> None:
    """Each observation of the UI or of a command is an event of its own."""

    @dg.observable_source_asset(name="up")
    def files() -> dg.DataVersion:
        return dg.DataVersion("2")

    assets = [files, world.asset("down", LETTERS, ["up"])]
    daemon.tick(assets)
    world.make(assets, "down", "a")

    @dg.observable_source_asset(name="up")
    def edited() -> dg.DataVersion:
        return dg.DataVersion("3")

    assets = [edited, broken]
    started = 0
    for _ in range(12):
        daemon.tick(assets)
        started += len(daemon.work(assets))
        world.instance.report_runless_asset_event(
            dg.AssetObservation("up", tags={"dagster/data_version": "3"})
        )
        daemon.now += timedelta(hours=3)
    assert started == 3


def test_evaluating_a_tick_writes_nothing(world: World, daemon: Daemon) -> None:
    """ "Preview tick result" of the UI evaluates the function for real."""

    @dg.observable_source_asset
    def files() -> dg.DataVersion:
        return dg.DataVersion("1")

    assets = [files, *two_assets(world)]
    assets[1] = world.asset("up", LETTERS, code_version="2")
    before = contents(world.instance)
    sensor = stale_sensor.rematerialize_stale
    repository = dg.Definitions(assets=assets, sensors=[sensor]).get_repository_def()
    context = dg.build_sensor_context(instance=world.instance, repository_def=repository)
    found = sensor.evaluate_tick(context)
    assert found.run_requests and found.asset_events
    assert contents(world.instance) == before


def contents(instance: dg.DagsterInstance) -> tuple[int, int, int]:
    """Runs, backfills, and the number of the last event."""
    last = instance.event_log_storage.get_maximum_record_id() or 0
    return len(instance.get_runs()), len(instance.get_backfills()), last


def test_an_idle_tick_records_nothing(world: World, daemon: Daemon) -> None:
    @dg.observable_source_asset
    def files() -> dg.DataVersion:
        return dg.DataVersion("1")

    assets = [files, *two_assets(world)]
    daemon.tick(assets)
    before = contents(world.instance)
    for _ in range(3):
        assert daemon.tick(assets) == "Nothing is due."
    assert contents(world.instance) == before


def test_a_new_file_asks_for_a_reload(world: World, daemon: Daemon) -> None:
    known = dg.StaticPartitionsDefinition(["a"])

    @dg.observable_source_asset(partitions_def=known)
    def files() -> dg.DataVersionsByPartition:
        return dg.DataVersionsByPartition({"a": dg.DataVersion("1"), "b": dg.DataVersion("1")})

    told = daemon.tick([files, world.asset("down", known, ["files"])])
    assert "New files have no partitions yet (files: b): reload the definitions" in told


def test_a_recipe_that_moved_to_another_role_set_waits_for_a_reload(
    world: World, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipes = dg.StaticPartitionsDefinition(["generic1", "roles5"])
    assets = [world.asset("training_sets", recipes)]
    for recipe in recipes.get_partition_keys():
        world.make(assets, "training_sets", recipe)
    assets = [world.asset("training_sets", recipes, code_version="2")]
    moved = partitions.RECIPES["roles5"].model_copy(
        update={"role_set": "generic1", "seeds": (0, 77)}
    )
    monkeypatch.setitem(partitions.RECIPES, "roles5", moved)
    daemon.tick(assets)
    assert daemon.work(assets) == ["training_sets[generic1]"]
    told = daemon.tick(assets)
    assert "Recipe roles5 moved from role set roles5 to generic1: reload the definitions" in told
    assert "Seeds 77 of recipes have no partitions yet: reload" in told
    monkeypatch.undo()  # it was moved back, or the definitions were reloaded
    daemon.tick(assets)
    assert daemon.work(assets) == ["training_sets[roles5]"]


def test_a_tick_starts_no_more_than_the_cap(
    world: World, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale_sensor, "CAP", 2)
    assets = two_assets(world)
    assets[0] = world.asset("up", LETTERS, code_version="2")
    assert daemon.tick(assets) == "up[a], up[b]"
    assert daemon.work(assets) == ["up[a]", "up[b]"]
    daemon.tick(assets)
    assert daemon.work(assets) == ["up[c]"]


def test_it_waits_for_whoever_is_at_work(world: World, daemon: Daemon) -> None:
    assets = two_assets(world)
    assets[0] = world.asset("up", LETTERS, code_version="2")
    with alone(world.instance):
        assert "another process" in daemon.tick(assets)
    assert daemon.tick(assets) == "up[a], up[b], up[c]"


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
