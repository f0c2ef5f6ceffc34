"""Runs that were killed with `kill -9` are recognised, ended, and their partitions made again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

import rolesynth_assets_tests
from rolesynth_assets.cli.dagster_home import prepare_home
from rolesynth_assets.defs.automation.killed_runs import end_killed_runs
from rolesynth_assets.lineage.refresh.tagged_runs import in_progress
from rolesynth_assets.lineage.run_process.dead_runs import end_dead_runs
from rolesynth_assets.lineage.run_process.heartbeat import beating
from rolesynth_assets.lineage.run_process.identity import HEARTBEAT, HOST, PID, process_tags
from rolesynth_assets.lineage.run_process.identity import STARTED as STARTED_AT
from rolesynth_assets.lineage.staleness.causes import Cell, Status
from rolesynth_assets.lineage.staleness.staleness import Staleness, examine
from rolesynth_assets_tests.lineage.run_process import slow_graph

FAILED = dg.DagsterRunStatus.FAILURE
STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        yield instance


def begun(how: str) -> subprocess.Popen[bytes]:
    """Start a run in a process group of its own and wait until its step is at work."""
    mark = Path(os.environ["DAGSTER_HOME"]) / "begun"
    process = subprocess.Popen(
        [sys.executable, "-m", slow_graph.__name__, how],
        env=os.environ | {"PYTHONPATH": str(Path(rolesynth_assets_tests.__path__[0]).parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not mark.exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def state(instance: dg.DagsterInstance) -> Staleness:
    return examine(slow_graph.defs.resolve_asset_graph(), instance)


@pytest.mark.parametrize("how", ["command", "launched"])
def test_a_killed_run_is_ended_by_the_next_command(
    home: dg.DagsterInstance, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    process = begun(how)
    try:
        prepare_home()  # it lives, so it is left alone
        (run,) = home.get_runs()
        assert run.status is STARTED
        graph = slow_graph.defs.resolve_asset_graph()
        assert Cell("first", "a") in in_progress(graph, home)
    finally:
        kill(process)
    prepare_home()
    (run,) = home.get_runs()
    assert run.status is FAILED
    assert "which was making first, was killed: its process" in capsys.readouterr().err
    assert not in_progress(graph, home)
    assert not home.event_log_storage.get_concurrency_info("mllm").claimed_slots

    found = state(home)
    stale = found.state(Cell("first", "a"))
    assert stale.status is Status.STALE and stale.due and not stale.waits
    assert [str(c) for c in stale.causes] == [
        f"the run that was making it was killed (run {run.run_id[:8]})"
    ]
    # nothing else was begun, so nothing else is concerned
    assert found.state(Cell("first", "b")).status is Status.MISSING
    assert found.state(Cell("second", "a")).status is Status.MISSING


def test_made_again_it_is_fresh(home: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(begun("command"))
    prepare_home()
    monkeypatch.setattr(slow_graph.time, "sleep", lambda seconds: None)
    assert dg.materialize(
        [slow_graph.first], instance=home, partition_key="a", selection=["first"]
    ).success
    assert state(home).state(Cell("first", "a")).status is Status.FRESH


def unfinished(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    job = slow_graph.defs.resolve_implicit_global_asset_job_def()
    return instance.create_run_for_job(job, tags=tags, status=STARTED).run_id


def of_the_daemon(instance: dg.DagsterInstance) -> dg.SensorEvaluationContext:
    """The context of a tick that the daemon has recorded under a number."""
    return dg.SensorEvaluationContext(None, log_key=["repo", "sensor", "17"], instance=instance)


def test_the_daemon_ends_them_too(home: dg.DagsterInstance) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    run_id = unfinished(home, process_tags() | {PID: gone})
    told = end_killed_runs.evaluate_tick(dg.build_sensor_context(instance=home))
    assert f"Run {run_id[:8]} would be ended: its process {gone} is gone" in str(told.skip_message)
    told = end_killed_runs.evaluate_tick(of_the_daemon(home))  # the preview before changed nothing
    assert f"Run {run_id[:8]}, was killed: its process {gone} is gone" in str(told.skip_message)
    told = end_killed_runs.evaluate_tick(of_the_daemon(home))
    assert told.skip_message == "Every run in progress has its process."


def test_an_id_that_was_given_again_is_another_process(home: dg.DagsterInstance) -> None:
    reused = process_tags() | {STARTED_AT: "boot:1"}
    unfinished(home, reused)
    unfinished(home, process_tags())
    assert len(end_dead_runs(home)) == 1


def test_runs_of_other_hosts_are_known_by_their_heartbeat(home: dg.DagsterInstance) -> None:
    now = datetime.now(UTC)
    for name, minutes in (("silent", 20), ("lively", 2)):
        beat = (now - timedelta(minutes=minutes)).isoformat()
        unfinished(home, {HOST: name, PID: "1", HEARTBEAT: beat})
    unfinished(home, {})  # of a process that said nothing of itself, nothing is known
    (ended,) = end_dead_runs(home, now)
    assert "process 1 on silent gave no sign of life since" in str(ended)


def test_containers_that_share_a_host_name_leave_each_others_runs_alone(
    home: dg.DagsterInstance,
) -> None:
    """The ids of one are not those of the other, whatever lives here under the same id."""
    now = datetime.now(UTC)
    other = {HOST: f"{socket.gethostname()} pid:[1]", PID: "999999", STARTED_AT: "boot:1"}
    unfinished(home, process_tags() | other)
    assert not end_dead_runs(home, now)
    (ended,) = end_dead_runs(home, now + timedelta(minutes=20))
    assert f"process 999999 on {socket.gethostname()} gave no sign" in str(ended)


def test_a_run_of_an_earlier_version_ends_when_its_heartbeat_does(home: dg.DagsterInstance) -> None:
    """It names the host alone, so an id that is not here may be one of another container."""
    now, host = datetime.now(UTC), {HOST: socket.gethostname()}
    unfinished(home, process_tags() | host)
    gone = unfinished(home, process_tags() | host | {STARTED_AT: "boot:1"})
    assert not end_dead_runs(home, now)
    (ended,) = end_dead_runs(home, now + timedelta(minutes=20))
    assert ended.run_id == gone


def test_a_heartbeat_is_renewed(home: dg.DagsterInstance) -> None:
    old = process_tags() | {HEARTBEAT: "2026-01-01T00:00:00+00:00"}
    run_id = unfinished(home, old)
    with beating(home, run_id, every_s=0.01):
        while home.get_run_by_id(run_id).tags[HEARTBEAT] == old[HEARTBEAT]:  # type: ignore[union-attr]
            continue
