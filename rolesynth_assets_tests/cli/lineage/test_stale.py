"""`rolesynth stale` on a small graph in the place of the platform's."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import typer
from typer.testing import CliRunner, Result

from rolesynth_assets import definitions
from rolesynth_assets.cli.lineage.stale import stale
from rolesynth_assets.defs.wiring.explainers import explainers
from rolesynth_assets_tests.lineage.little_graphs import World

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c"])


class Project:
    """Two assets; `down[b]` and then `last` are stale, `up[c]` and `down[c]` were never made."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.world = world = World(instance)
        self.assets = [
            world.asset("up", LETTERS),
            world.asset("down", LETTERS, ["up"]),
            world.asset(
                "last", deps=[dg.AssetDep("down", partition_mapping=dg.AllPartitionMapping())]
            ),
        ]

    def make(self) -> None:
        for key in ("a", "b"):
            self.world.make(self.assets, "up", key)
            self.world.make(self.assets, "down", key)
        self.world.make(self.assets, "last")
        self.world.contents["up", "b"] = "1"
        self.world.make(self.assets, "up", "b")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home in which the project was made, to be copied."""
    home = tmp_path_factory.mktemp("made")
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        Project(instance).make()
    return home


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    home = tmp_path / ".dagster"
    shutil.copytree(made, home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.chdir(tmp_path)  # no other dagster.yaml is at hand to be mentioned
    with dg.DagsterInstance.get() as instance:
        project = Project(instance)
        project.world.contents |= {("up", "b"): "1", ("down", "b"): "1"}
        monkeypatch.setattr(definitions, "defs", dg.Definitions(assets=project.assets))
        yield project


def invoke(*arguments: str) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(stale)
    return CliRunner().invoke(app, list(arguments))


def words(result: Result) -> str:
    return " ".join(result.output.split())


def test_counts_and_causes_are_shown(project: Project) -> None:
    result = invoke()
    assert result.exit_code == 0, result.output
    told = words(result)
    assert "asset fresh stale missing up 2 0 1 down 1 1 1 last 0 1 0" in told
    assert "2 partitions are stale." in told
    assert "down[b]: up[b] changed" in told
    assert "last: upstream down[b] is stale: up[b] changed" in told
    assert not project.world.ran


def test_one_asset_alone(project: Project) -> None:
    told = words(invoke("--asset", "last", "--why"))
    assert "1 partition is stale." in told
    assert "down 1 1 1" not in told


def test_unknown_asset_lists_the_known_ones(project: Project) -> None:
    result = invoke("--asset", "captions")
    assert result.exit_code == 2
    assert "no asset captions; there are up, down, last" in words(result).replace("│ ", "")


def test_json_holds_counts_and_reasons(project: Project) -> None:
    found = json.loads(invoke("--json").output)
    assert found["assets"]["down"] == {"fresh": 1, "stale": 1, "missing": 1}
    assert found["stale"] == [
        {
            "asset": "down",
            "partition": "b",
            "why": ["up[b] changed"],
            "reasons": ["data"],
        },
        {
            "asset": "last",
            "partition": None,
            "why": ["upstream down[b] is stale: up[b] changed"],
            "reasons": ["upstream"],
        },
    ]


def test_dry_run_starts_nothing(project: Project) -> None:
    told = words(invoke("--fix", "--dry-run"))
    assert told == "down: 1: b last: 1 2 partitions at most; nothing was started"
    told = words(invoke("--fix", "--dry-run", "--missing", "--max-partitions", "3"))
    assert told == "up: 1: c down: 2: b, c 3 partitions at most; nothing was started"
    assert not project.world.ran


def test_fix_makes_exactly_what_is_stale(project: Project) -> None:
    result = invoke("--fix")
    assert result.exit_code == 0, result.output
    assert [str(cell) for cell in project.world.ran] == ["down[b]", "last"]
    assert "2 partitions made, 0 model calls" in words(result)
    (tag,) = re.findall(r"rolesynth/rematerialize=(fix-\w+)", result.output)
    with dg.DagsterInstance.get() as instance:
        tagged = dg.RunsFilter(tags={"rolesynth/rematerialize": tag})
        assert len(instance.get_runs(tagged)) == 2
    assert "Nothing is stale." in words(invoke())
    assert words(invoke("--fix")) == "Nothing is stale."


def test_cap_tells_what_is_left(project: Project) -> None:
    told = words(invoke("--fix", "--max-partitions", "1"))
    assert "1 partition made" in told
    assert "Ended early: at most 1 partition to be made. 1 left: last" in told


def test_options_of_fix_alone_are_refused(project: Project) -> None:
    for option in (["--dry-run"], ["--missing"], ["--max-partitions", "3"]):
        result = invoke(*option)
        assert result.exit_code == 2
        assert "go with --fix" in words(result)


def test_nothing_made_yet_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "none"))
    result = invoke()
    assert result.exit_code == 2
    assert "nothing was made yet" in words(result)


def test_the_model_that_it_changed_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    assert explainers()["captioner"]("") == "captioner changed to the embedded stand-in"
    monkeypatch.setenv("ROLESYNTH_ENGINE", "openai")
    monkeypatch.setenv("ROLESYNTH_MODEL", "qwen")
    monkeypatch.setenv("ROLESYNTH_REVISION", "r2")
    assert explainers()["judge"]("") == "judge changed to qwen, revision r2"
