"""The daemon over a project in which nothing happens, with simulated time: nothing piles up."""

import logging
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
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

    def ticks(self) -> int:
        states = self.instance.all_instigator_state()
        return sum(len(self.instance.get_ticks(s.instigator_origin_id, s.selector_id)) for s in states)  # fmt: skip  # noqa: E501

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
    begun = daemon.instance.get_run_by_id(run.run_id)
    assert begun and begun.status is started
    daemon.run(2)
    ended = daemon.instance.get_run_by_id(run.run_id)
    assert ended and ended.status is dg.DagsterRunStatus.FAILURE


def test_thirty_idle_days_stay_small(daemon: Daemon) -> None:
    """Ten minutes are played one by one; what a day keeps is counted, and what goes is tried.

    Nothing but ticks may grow, and ticks that started nothing are kept for a day. So a month holds
    what there is before, and the ticks of two days at most.
    """
    daemon.run(6)  # the first turn of each sensor writes its state
    events = daemon.instance.event_log_storage.get_maximum_record_id()
    before, ticks = daemon.size(), daemon.ticks()
    daemon.run(10)
    assert daemon.instance.event_log_storage.get_maximum_record_id() == events
    assert not daemon.instance.get_runs()
    assert daemon.ticks() >= ticks + 20  # two sensors every minute, and one every five
    a_day = (daemon.size() - before) * 24 * 6
    month = before + 2 * a_day
    print(f"idle: {before / 2**20:.1f} MiB at first, {a_day / 2**20:.1f} MiB of ticks a day")
    assert month < MONTH_MIB * 2**20

    daemon.now += timedelta(days=2)
    daemon.run(2)
    assert daemon.ticks() < 20  # those of two days ago are gone, so days do not add up
