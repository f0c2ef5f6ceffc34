import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rolesynth_assets.cli.app import app
from rolesynth_assets.cli.demo_project import enter_demo, project_command, tell_earlier_demo
from rolesynth_assets.settings import Settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLESYNTH_PROJECT", "")
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "mine"))
    monkeypatch.setenv("ROLESYNTH_ENGINE", "openai")
    monkeypatch.setenv("ROLESYNTH_MODEL", "dear")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "my-home"))
    return tmp_path


def test_the_demo_has_data_root_home_and_engine_of_its_own(project: Path) -> None:
    assert enter_demo() == project / "rolesynth-demo"
    settings = Settings.load()
    assert settings.data_root == project / "rolesynth-demo" / ".rolesynth"
    assert settings.captioner.engine == settings.judge.engine == "embedded"
    assert os.environ["DAGSTER_HOME"] == str(project / "rolesynth-demo" / ".dagster")
    assert not (project / "mine").exists()
    assert project_command("ui", settings.project) == "rolesynth ui --demo"
    assert project_command("browse", project) == "rolesynth browse"


def test_inside_of_its_folder_the_demo_is_the_same_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = enter_demo()
    monkeypatch.delenv("ROLESYNTH_PROJECT")
    monkeypatch.chdir(folder)
    assert enter_demo() == folder


def test_a_ui_of_no_demo_is_refused(project: Path) -> None:
    result = CliRunner().invoke(app, ["ui", "--demo", "--port", "0"])
    assert result.exit_code == 2  # the port is out of range
    result = CliRunner().invoke(app, ["ui", "--demo", "--port", "45871"])
    assert result.exit_code == 2
    assert "there is no demo here" in " ".join(result.output.replace("│", " ").split())
    assert not (project / "my-home").exists()


def test_an_earlier_demo_is_mentioned_and_left_alone(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_earlier_demo(project, project / "mine")
    assert not capsys.readouterr().err
    (project / "mine" / "embedded_world").mkdir(parents=True)
    tell_earlier_demo(project, project / "mine")
    said = capsys.readouterr().err
    assert "An earlier demo is in" in said and "rolesynth forget SHARD" in said
    assert (project / "mine" / "embedded_world").is_dir()
