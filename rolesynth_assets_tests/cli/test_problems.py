import json
import os
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets.cli import problems as problems_command
from rolesynth_assets.cli.app import app
from rolesynth_assets.defs.wiring import partitions
from rolesynth_assets.lineage.refresh.targets import ProblemWork
from rolesynth_assets.mllm.rows.reply_journal import ReplyJournal, journal_path
from rolesynth_assets.r1 import library
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.defs.served_collective import choose, serve
from rolesynth_assets_tests.defs.small_graph import clear_environment
from rolesynth_assets_tests.mllm.stub_server import Fault

DOMAIN = "problems"
FIRST, SECOND = "2026-01-04", "2026-01-11"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clear_environment(monkeypatch, dict(os.environ))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("ROLESYNTH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
    seeds = tmp_path / "seeds" / f"{DOMAIN}.jsonl"
    seeds.parent.mkdir()
    seeds.write_text(json.dumps({"description": "counting dots"}))
    monkeypatch.setitem(partitions.SEED_FILES, DOMAIN, seeds)
    return tmp_path


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["problems", *arguments])


def words(result: Result) -> str:
    """The output on one line, without the frames drawn around it."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


def test_problems_are_made_once_and_no_caption_is_spoken_of(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "load_r1_benchmarks", lambda folder: {})
    with serve() as server:
        choose(monkeypatch, project, server)
        refused = invoke(DOMAIN)
        assert refused.exit_code == 2
        assert "calls for problems about" in words(refused) and "--yes" in words(refused)
        assert not server.requests
        first = invoke(DOMAIN, "--yes")
        assert first.exit_code == 0, first.output
        assert f"Models were asked: {len(server.requests):,} calls" in words(first)
        asked = len(server.requests)
        again = invoke(DOMAIN)
        assert len(server.requests) == asked > 0
    said = words(first)
    assert "Problems by the collective ┏" in said  # whose members are no stand-ins
    assert f"{DOMAIN} {FIRST}" in said
    assert SECOND not in said
    assert "3 partitions made" in said
    assert "image_shards" not in said
    assert "Captions" not in said
    assert "everything was up to date, no model was called" in words(again)
    rows = Store(str(project / "data")).read("problems", {"domain": DOMAIN})
    assert rows.num_rows > 0


CARDS = 2 * 3
"""Requests about colour cards before the first call of a collective of three."""


def test_calls_that_failed_are_made_again_where_that_is_wanted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "load_r1_benchmarks", lambda folder: {})
    with serve() as server:
        choose(monkeypatch, project, server)
        server.faults = lambda request: Fault("refusal") if request.ordinal == CARDS else None
        assert invoke(DOMAIN, "--yes").exit_code == 0
        before, first = len(server.requests), server.requests[CARDS].payload
        server.faults = lambda request: None
        again = invoke(DOMAIN, "--again", "refused", "--yes")
        assert again.exit_code == 0, again.output
        assert "1 calls that failed" in words(again)
        assert [r.payload for r in server.requests[before:]].count(first) == 1
        assert "no reason timeout; calls that are final" in words(
            invoke(DOMAIN, "--again", "timeout")
        )
        with ReplyJournal(journal_path(project / "data", "cads")) as journal:
            assert journal.failed(["refused"]) == 0


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ((DOMAIN,), {"ROLESYNTH_ENGINE": "openai"}, "No collective is chosen"),
        (
            (DOMAIN,),
            {"ROLESYNTH_COLLECTIVE": "crowd"},
            "There is no collective 'crowd'. Set `collective` in rolesynth.yaml, or "
            "ROLESYNTH_COLLECTIVE, to one of: embedded, paper",
        ),
        (("chess",), {}, f"no domain chess; there are {DOMAIN}. To add it, write a file"),
        ((DOMAIN, "--recipe", "best"), {}, "no R1 recipe best; there are base, "),
        (
            (DOMAIN, "--recipe", "synthetic"),
            {},
            "recipe synthetic is compared with base: add --recipe base",
        ),
        (
            (DOMAIN, "--recipe", "base", "--recipe", "synthetic", "--seed", "9"),
            {},
            "recipe synthetic has the seeds 0, 1, 2, not 9",
        ),
        ((DOMAIN, "--seed", "1"), {}, "--seed goes with --recipe"),
        ((DOMAIN, "--rounds", "9999"), {}, "9999 rounds: only"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_way_out(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    told: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert told in words(result)
    assert {path.name for path in (project / "data").glob("*")} <= {"data-root-id"}


def test_recipes_train_with_the_seeds_asked_for_and_the_untrained_one_with_its_own(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ProblemWork] = []
    monkeypatch.setattr(
        problems_command, "refresh", lambda began, problems, **_: asked.append(problems())
    )
    recipes = ("--recipe", "base", "--recipe", "synthetic")
    assert invoke(DOMAIN, DOMAIN, "--rounds", "2", *recipes).exit_code == 0
    assert invoke(DOMAIN, *recipes, "--seed", "2", "--seed", "1").exit_code == 0
    assert invoke(DOMAIN).exit_code == 0
    whole, seeds, alone = asked
    assert (whole.domains, whole.rounds) == ([DOMAIN], [FIRST, SECOND])
    assert whole.recipes == {"base": [0], "synthetic": [0]}
    assert {"counting", "bar_charts"} <= set(whole.benchmarks)
    assert seeds.recipes == {"base": [0], "synthetic": [2, 1]}
    assert (alone.recipes, alone.benchmarks) == ({}, [])


def test_a_benchmark_without_its_files_is_left_out_and_told(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rolesynth_assets.defs.wiring import r1_partitions
    from rolesynth_assets.r1.benchmarks.definition import R1Benchmark

    absent = R1Benchmark(name="vista", layout="mathvista", path=str(project / "vista"))
    monkeypatch.setitem(r1_partitions.R1_BENCHMARKS, "vista", absent)
    asked: list[ProblemWork] = []
    monkeypatch.setattr(
        problems_command, "refresh", lambda began, problems, **_: asked.append(problems())
    )
    result = invoke(DOMAIN, "--recipe", "base")
    assert "benchmark vista is left out" in words(result)
    assert "vista" not in asked[0].benchmarks


def test_problems_wait_for_whoever_is_at_work(project: Path) -> None:
    from rolesynth_assets.cli.dagster_home import prepare_home
    from rolesynth_assets.lineage.refresh.one_at_a_time import alone
    from rolesynth_assets.settings import Settings

    prepare_home()
    with alone(Settings.load().data_root):
        busy = invoke(DOMAIN)
    assert busy.exit_code == 1
    assert "is bringing this data root up to date" in words(busy)
