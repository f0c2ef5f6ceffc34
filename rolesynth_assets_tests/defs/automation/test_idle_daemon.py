"""The daemon over a project in which nothing happens, with simulated time: nothing piles up."""

import logging
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sql
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.storage.schedules.schema import JobTickTable
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage
from dagster._core.test_utils import (
    InProcessTestWorkspaceLoadTarget,  # type: ignore[attr-defined]
    create_test_daemon_workspace_context,
    freeze_time,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.asset_daemon import AssetDaemon
from dagster._daemon.sensor import execute_sensor_iteration

from rolesynth_assets.cli.dagster_home import prepare_home
from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.automation.killed_runs import end_killed_runs
from rolesynth_assets.lineage.refresh.runner import Refresher
from rolesynth_assets.lineage.run_process.identity import PID, process_tags
from rolesynth_assets.lineage.staleness.causes import Cell

MODULE = "rolesynth_assets.definitions"
START = datetime(2026, 3, 2, tzinfo=UTC)
MONTH_MIB = 50
QUIET = logging.getLogger("quiet")
QUIET.setLevel(logging.CRITICAL)


class Daemon:
    """Dagster's own daemon loops, one turn a simulated minute, with every sensor on."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.instance, self.workspace, self.now = instance, workspace, START
        self.assets = AssetDaemon(settings={}, pre_sensor_interval_seconds=30)
        with freeze_time(self.now):
            for location in workspace.create_request_context().code_locations:
                (repository,) = location.get_repositories().values()
                for sensor in repository.get_sensors():
                    instance.start_sensor(sensor)

    def run(self, minutes: int) -> None:
        for _ in range(minutes):
            self.now += timedelta(minutes=1)
            with freeze_time(self.now):
                list(execute_sensor_iteration(self.workspace, QUIET, None, None))
                self.assets._run_iteration_impl(
                    self.workspace,
                    threadpool_executor=None,
                    amp_tick_futures={},
                    debug_crash_flags={},
                )

    def size(self) -> int:
        """Bytes of the Dagster home."""
        home = Path(self.instance.root_directory)
        return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    shutil.copy("dagster.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    prepare_home()
    origin = InProcessCodeLocationOrigin(
        loadable_target_origin=LoadableTargetOrigin(
            executable_path=sys.executable, module_name=MODULE, attribute="defs"
        ),
        location_name=MODULE,
    )
    with dg.DagsterInstance.get() as instance:
        Refresher(defs, instance).observe_sources()
        target = InProcessTestWorkspaceLoadTarget(origin)
        with create_test_daemon_workspace_context(target, instance) as workspace:
            yield Daemon(instance, workspace)


def test_the_daemon_ends_killed_runs_and_a_preview_does_not(daemon: Daemon) -> None:
    gone = process_tags() | {PID: "999999999"}
    job = defs.resolve_implicit_global_asset_job_def()
    started = dg.DagsterRunStatus.STARTED
    run = daemon.instance.create_run_for_job(job, tags=gone, status=started)
    context = dg.build_sensor_context(instance=daemon.instance)
    assert "would be ended" in str(end_killed_runs.evaluate_tick(context).skip_message)
    assert daemon.instance.get_run_by_id(run.run_id).status is started
    daemon.run(2)
    assert daemon.instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


class IdleTicks:
    """The ticks of some idle minutes, as the daemon recorded them, to be repeated all day."""

    def __init__(self, daemon: Daemon, minutes: int) -> None:
        storage = daemon.instance.schedule_storage
        assert isinstance(storage, SqlScheduleStorage)
        self._daemon, self._storage = daemon, storage
        self._minutes, self._began = minutes, daemon.now - timedelta(minutes=minutes)
        table = JobTickTable.c
        columns = [column for column in table if column.name != "id"]
        since = table.timestamp >= self._began.replace(tzinfo=None)
        with storage.connect() as connection:
            found = connection.execute(sql.select(*columns).where(since))
            self._rows = [dict(row) for row in found.mappings()]
        assert len(self._rows) >= 2 * minutes  # two sensors every minute, and two more

    def fill_the_day(self) -> None:
        """Record them for every minute of a day from now on, which is over then."""
        times = range(0, timedelta(days=1) // timedelta(minutes=1), self._minutes)
        since = self._daemon.now - self._began
        rows = [
            {**row, "timestamp": row["timestamp"] + since + timedelta(minutes=minute)}
            for minute in times
            for row in self._rows
        ]
        with self._storage.connect() as connection:
            connection.execute(JobTickTable.insert(), rows)
        self._daemon.now += timedelta(days=1)

    def count(self) -> int:
        """Count all ticks there are."""
        with self._storage.connect() as connection:
            return connection.execute(sql.select(sql.func.count(JobTickTable.c.id))).scalar_one()


def test_thirty_idle_days_stay_small(daemon: Daemon) -> None:
    """Ten minutes are played one by one, and each day gets their ticks for all of its minutes.

    The daemon's own retention runs once a day. The run that makes the pages each morning is made
    three times, and its bytes are counted for the other days.
    """
    daemon.run(6)  # the first turn of each sensor writes its state
    events = daemon.instance.event_log_storage.get_maximum_record_id()
    before = daemon.size()
    daemon.run(10)
    ticks = IdleTicks(daemon, 10)
    assert daemon.instance.event_log_storage.get_maximum_record_id() == events
    assert not daemon.instance.get_runs()

    days = []
    for _ in range(30):
        ticks.fill_the_day()
        with freeze_time(daemon.now):
            list(execute_sensor_iteration(daemon.workspace, QUIET, None, None))
        days.append(ticks.count())
    assert min(days) > 2 * 24 * 60 and max(days[5:]) <= max(days[:5]) + 10  # they do not add up
    idle = daemon.size()

    refresher = Refresher(defs, daemon.instance)
    for _ in range(3):
        for page in ("partition_health", "overview"):
            refresher.make(Cell(page))
    morning = (daemon.size() - idle) / 3
    month = idle + 30 * morning
    print(f"idle: {before / 2**20:.1f} MiB at first, {idle / 2**20:.1f} MiB with a month's ticks,")
    print(f"{morning / 2**10:.0f} KiB each morning: {month / 2**20:.1f} MiB after thirty days")
    assert month < MONTH_MIB * 2**20
