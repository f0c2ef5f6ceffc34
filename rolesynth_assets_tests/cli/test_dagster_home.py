import multiprocessing
import os
from importlib import resources
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock, Timeout

from rolesynth_assets.cli import dagster_home
from rolesynth_assets.cli.dagster_home import prepare_home

TOGETHER = 4


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    return tmp_path


def test_the_home_is_beside_the_project_unless_the_environment_names_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepare_home() == folder / ".dagster"
    assert os.environ["DAGSTER_HOME"] == str(folder / ".dagster")
    monkeypatch.setenv("DAGSTER_HOME", "elsewhere")  # Dagster takes absolute paths only
    assert prepare_home() == folder / "elsewhere"
    with dg.DagsterInstance.get() as instance:
        assert instance.root_directory == str(folder / "elsewhere")


def test_a_home_gets_the_shipped_limits_wherever_it_is(folder: Path) -> None:
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        assert instance.run_monitoring_enabled
        assert instance.get_settings("concurrency")["pools"] == {
            "default_limit": 1,
            "granularity": "run",
        }
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None and queue.max_concurrent_runs == 2
        assert not instance.telemetry_enabled


def test_the_projects_settings_go_into_a_new_home(folder: Path) -> None:
    (folder / "dagster.yaml").write_text("nux:\n  enabled: false\n")
    assert (prepare_home() / "dagster.yaml").read_text() == "nux:\n  enabled: false\n"


def test_a_homes_own_settings_are_never_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    theirs, ours = folder / "home" / "dagster.yaml", folder / "dagster.yaml"
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))
    own = "# mine\ntelemetry:\n  enabled: false\n"
    theirs.parent.mkdir()
    theirs.write_text(own)
    ours.write_text("telemetry: {enabled: false}\n")
    prepare_home()
    assert str(theirs) not in capfd.readouterr().err  # both say the same
    ours.write_text("nux:\n  enabled: false\n")
    prepare_home()
    said = capfd.readouterr().err
    assert str(theirs) in said and str(ours) in said
    assert theirs.read_text() == own


def test_the_shipped_settings_are_those_of_the_clone() -> None:
    clone = Path(dagster_home.__file__).parents[2] / "dagster.yaml"
    assert (resources.files("rolesynth_assets") / "dagster.yaml").read_text() == clone.read_text()


def test_who_comes_while_the_home_is_made_waits(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster_home, "LOCK_TIMEOUT_S", 0.01)
    context = multiprocessing.get_context("spawn")
    locked, done = context.Event(), context.Event()
    (folder / ".dagster").mkdir()
    holder = context.Process(target=_hold, args=(folder / ".dagster", locked, done))
    holder.start()
    try:
        assert locked.wait(200)
        with pytest.raises(Timeout):
            prepare_home()
        assert not (folder / ".dagster" / "storage").exists()
    finally:
        done.set()
        holder.join(200)


def test_several_at_once_make_one_home_that_can_be_opened_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(folder / "home"))  # a new process has another folder
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(TOGETHER)
    processes = [context.Process(target=_prepare_after, args=(start,)) for _ in range(TOGETHER)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    assert [process.exitcode for process in processes] == [0] * TOGETHER
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == 0


def _prepare_after(start) -> None:
    start.wait(200)
    prepare_home()


def _hold(folder: Path, locked, done) -> None:
    with FileLock(folder / ".prepare.lock"):
        locked.set()
        done.wait(200)
