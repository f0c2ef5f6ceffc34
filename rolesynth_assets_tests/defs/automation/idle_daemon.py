"""Dagster's daemon over a project in which nothing happens, with simulated time."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
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
from rolesynth_assets.lineage.refresh.runner import Refresher

MODULE = "rolesynth_assets.definitions"
START = datetime(2026, 3, 2, tzinfo=UTC)
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


@contextmanager
def idle_daemon() -> Iterator[Daemon]:
    """Open the home that DAGSTER_HOME names, after one look at the sources, with a daemon."""
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
        # each tick opens the instance anew, which is a third of its time and changes nothing
        opened = patch.object(dg.DagsterInstance, "from_ref", lambda _: nullcontext(instance))
        with create_test_daemon_workspace_context(target, instance) as workspace, opened:
            yield Daemon(instance, workspace)
