"""The daemon over a project in which nothing happens, with simulated time: nothing piles up."""

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from rolesynth_assets.definitions import defs
from rolesynth_assets.defs.automation.killed_runs import end_killed_runs
from rolesynth_assets.lineage.run_process.identity import PID, process_tags
from rolesynth_assets_tests.defs.automation.idle_daemon import Daemon, idle_daemon

MONTH_MIB = 50


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    shutil.copy("dagster.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with idle_daemon() as daemon:
        yield daemon


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
