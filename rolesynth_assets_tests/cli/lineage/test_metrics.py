"""`rolesynth metrics` prints once, and serves until it is interrupted."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from rolesynth_assets.cli.app import app
from rolesynth_assets.cli.dagster_home import prepared_instance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path


def test_without_a_home_it_says_how_to_begin(project: Path) -> None:
    result = CliRunner().invoke(app, ["metrics"])
    assert result.exit_code == 2
    assert "nothing was made yet" in " ".join(result.output.split())
    assert not (project / "home").exists()


def test_it_prints_and_serves_what_was_recorded(project: Path) -> None:
    with prepared_instance() as instance:
        metadata = {"rolesynth/calls": 7, "rolesynth/generator": "m"}
        instance.report_runless_asset_event(
            dg.AssetMaterialization("role_lists", partition="roles5", metadata=metadata)
        )
    expected = 'rolesynth_calls_total{asset="role_lists",model="",of="roles5"} 7.0'
    serving = subprocess.Popen(
        [sys.executable, "-m", "rolesynth_assets.cli.app", "metrics", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        printed = CliRunner().invoke(app, ["metrics"]).output
        assert expected in printed
        assert 'rolesynth_partitions{asset="role_lists",status="missing"}' in printed
        assert serving.stdout is not None
        line = serving.stdout.readline()
        address = re.match(r"http://127\.0\.0\.1:\d+/metrics", line)
        assert address is not None, line
        with urllib.request.urlopen(address[0], timeout=60) as answer:
            assert expected in answer.read().decode()
        serving.send_signal(signal.SIGINT)
        assert serving.wait(60) == 0
    finally:
        serving.kill()
