"""`rolesynth doctor` on a home and a data root with several kinds of trouble."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets import definitions
from rolesynth_assets.cli.app import app
from rolesynth_assets.cli.dagster_home import prepare_home
from rolesynth_assets.lineage.refresh.given_up import SENSOR
from rolesynth_assets.lineage.run_process.identity import PID, process_tags
from rolesynth_assets_tests.lineage.little_graphs import World


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path


def printed(result: Result) -> str:
    return " ".join(result.output.split())


def test_without_a_home_it_explains_and_makes_nothing(project: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert f"Dagster home {project / 'home'}: nothing was made with it yet" in printed(result)
    assert "settings no rolesynth.yaml: defaults" in printed(result)
    assert "captioner embedded" in printed(result)
    assert "Nothing needs attention." in printed(result)
    assert not (project / "home").exists() and not (project / "data").exists()


def test_broken_settings_are_named(project: Path) -> None:
    (project / "rolesynth.yaml").write_text("shard_sise: 3\n")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "shard_sise: there is no such field" in printed(result)


def test_every_kind_of_trouble_is_named_with_its_way_out(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_home()
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    with dg.DagsterInstance.get() as instance:
        world = World(instance)
        shards = dg.DynamicPartitionsDefinition(name="image_shard")
        kept = {"dagster/table_name": "lance.images", "rolesynth/lance_version": 3}
        images = world.asset("image_shards", shards, metadata_of_run=kept)
        defs = dg.Definitions(assets=[images])
        monkeypatch.setattr(definitions, "defs", defs)
        instance.add_dynamic_partitions("image_shard", ["a", "b|c"])
        world.make([images], "image_shards", "a")
        job = defs.resolve_implicit_global_asset_job_def()
        dead = process_tags() | {PID: done.stdout.strip()}
        instance.create_run_for_job(job, tags=dead, status=dg.DagsterRunStatus.STARTED)
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    text = printed(result)
    assert "killed run Run" in text and "was killed: its process" in text
    assert "its process is not known. If it does not run any more, end it in the UI" in text
    assert "1 partition of image_shards was made and is missing: table lance.images was" in text
    assert "image_shard 'b|c' is left out" in text
    assert "4 things need attention." in text


def test_what_the_sensor_gave_up_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        world = World(instance)
        letters = dg.StaticPartitionsDefinition(["a"])
        world.make([world.asset("up", letters)], "up", "a")
        monkeypatch.setattr(
            definitions, "defs", dg.Definitions(assets=[world.asset("up", letters, (), "2")])
        )
        from rolesynth_assets.lineage.refresh import given_up, sensor_tick

        staleness = world.staleness([world.asset("up", letters, (), "2")])
        wave = sensor_tick.next_wave(staleness, {}, (), 10, sensor_tick.datetime.now().astimezone())
        cursor = json.loads(sensor_tick.write_cursor(wave.tried))
        cursor["up[a]"]["tries"] = sensor_tick.TRIES
        monkeypatch.setattr(given_up, "stored_cursor", lambda instance: json.dumps(cursor))
    text = printed(CliRunner().invoke(app, ["doctor"]))
    assert "given up up[a] was given up after 3 tries: it is still stale after its runs" in text
    assert "stale partitions 1; `rolesynth stale` says why" in text
    assert SENSOR == "rematerialize_stale"


def test_another_data_root_is_explained_and_can_be_adopted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_home()
    up = dg.Definitions(assets=[dg.asset(lambda: None, name="up")])
    monkeypatch.setattr(definitions, "defs", up)
    monkeypatch.setenv("ROLESYNTH_DATA", str(project / "other"))
    result = CliRunner().invoke(app, ["stale"])
    assert result.exit_code == 2
    assert "`rolesynth doctor --adopt`" in printed(result)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert f"records what was made in {project / 'data'}" in printed(result)
    assert CliRunner().invoke(app, ["doctor", "--adopt"]).exit_code == 0
    assert CliRunner().invoke(app, ["stale"]).exit_code == 0
