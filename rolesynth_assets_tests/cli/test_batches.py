"""`rolesynth run` with ROLESYNTH_ENGINE=openai-batch, and `rolesynth batches`."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app
from rolesynth_assets.mllm.rows.batch_ledger import open_batches
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.defs.small_graph import clear_environment, write_pictures
from rolesynth_assets_tests.drills._paid_work import answer
from rolesynth_assets_tests.mllm.batch.stub_batches import StubBatches

RUN = ("run", "--role-set", "generic1", "--yes")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clear_environment(monkeypatch, dict(os.environ))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROLESYNTH_PROJECT", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / ".dagster"))
    (tmp_path / "rolesynth.yaml").write_text(
        "thresholds: {max_failure_share: 0.5, max_one_score_share: 1, min_score_std: 0}\n"
        "prices: {captioner: {per_call: 0.5}, judge: {per_call: 0.25}}\n"
    )
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubBatches]:
    with StubBatches(answer, models=[{"id": "stub", "object": "model"}]) as stub:
        values = {"ENGINE": "openai-batch", "MODEL": "stub", "BASE_URL": stub.url}
        more = {"PREFLIGHT": "off", "BATCH_POLL_S": "0.01", "BATCH_REQUESTS": "5"}
        for name, value in (values | more).items():
            monkeypatch.setenv(f"ROLESYNTH_{name}", value)
        yield stub


def invoke(*arguments: str, **options) -> Result:
    return CliRunner().invoke(app, list(arguments), **options)


def words(result: Result) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


def counts(project: Path) -> dict[str, int]:
    store = Store(str(project / ".rolesynth"))
    return {table: store.count(table) for table in ("captions", "scores", "pairs")}


def ids(project: Path, table: str = "captions") -> list[str]:
    return [batch.shown_id for batch in open_batches(project / ".rolesynth")[table]]


def test_all_partitions_are_submitted_at_once_waited_for_and_collected(
    project: Path, server: StubBatches
) -> None:
    for name, numbers in (("one", range(4)), ("two", range(10, 14))):
        assert invoke("ingest", str(write_pictures(project / name, numbers))).exit_code == 0
    server.looks = 3
    done = invoke(*RUN)
    assert done.exit_code == 0, done.output
    assert "16 captions about 8 images by stub in batches" in words(done)
    assert "Batches are answered within 24 hours" in words(done)
    assert "4 batches: 4 submitted; 0 of 16 answered They are looked at every" in words(done)
    assert "Ctrl-C ends the wait alone" in words(done)
    assert "Models were asked: 32 calls (at most 32 expected)" in words(done)
    assert counts(project) == {"captions": 16, "scores": 16, "pairs": 16}
    assert not server.requests and len(server.batches) == 8
    assert invoke("batches").output == "No batch is open.\n"
    again = invoke(*RUN)
    assert again.exit_code == 0 and len(server.batches) == 8


def test_a_run_that_does_not_wait_is_gone_on_with_later(project: Path, server: StubBatches) -> None:
    assert invoke("ingest", str(write_pictures(project / "one", range(4)))).exit_code == 0
    server.looks = 5
    first = invoke(*RUN, "--no-wait")
    assert first.exit_code == 0, first.output
    assert "raw_captions[one-0000|generic1]: waiting for 2 batches: batch_0" in words(first)
    assert "1 partitions wait for batches" in words(first)
    assert "failed:" not in words(first) and "Not begun" not in words(first), words(first)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs()
        assert not [run for run in runs if run.status is dg.DagsterRunStatus.FAILURE]
    assert "batch_1 in_progress, 0 of 3 answered" in words(invoke("batches"))
    assert "open batch captions: batch_0 in_progress, 0 of 5" in words(invoke("doctor"))
    server.looks = 0
    second = invoke(*RUN)
    assert second.exit_code == 0, second.output
    assert "8 requests are in open batches: they are collected." in words(second)
    assert counts(project) == {"captions": 8, "scores": 8, "pairs": 8}
    assert sorted(server.asked) == sorted(set(server.asked))


def test_rows_that_were_asked_again_are_collected_by_any_run(
    project: Path, server: StubBatches
) -> None:
    assert invoke("ingest", str(write_pictures(project / "one", range(4)))).exit_code == 0
    broken = iter(range(3))
    server.answer = lambda request: "" if next(broken, None) is not None else answer(request)
    assert invoke(*RUN).exit_code == 0
    assert reasons(project) == ["empty"] * 3
    server.looks = 1
    asked = invoke(*RUN, "--again", "empty", "--no-wait")
    assert asked.exit_code == 0 and reasons(project) == ["empty"] * 3, asked.output
    before = len(server.batches)
    server.looks = 0
    assert invoke(*RUN).exit_code == 0
    assert reasons(project) == [] and counts(project)["pairs"] == 8
    assert [b["request_counts"]["total"] for b in server.batches.values()][before - 1] == 3


def reasons(project: Path) -> list[str]:
    rows = Store(str(project / ".rolesynth")).read("captions", None, ["reason"])
    return sorted(reason for reason in rows["reason"].to_pylist() if reason)


def test_a_batch_is_cancelled_or_forgotten(project: Path, server: StubBatches) -> None:
    assert invoke("ingest", str(write_pictures(project / "one", range(4)))).exit_code == 0
    server.looks = 100
    assert invoke(*RUN, "--no-wait").exit_code == 0
    assert ids(project) == ["batch_0", "batch_1"]
    strange = invoke("batches", "cancel", "batch_7")
    assert strange.exit_code == 2
    assert "no open batch batch_7; there are batch_0, batch_1" in words(strange)
    assert "batch_0 cancelling" in words(invoke("batches", "cancel", "batch_0"))
    assert server.batches["batch_0"]["status"] == "cancelling"
    kept = invoke("batches", "forget", "batch_1", input="n\n")
    assert kept.exit_code == 1 and ids(project) == ["batch_0", "batch_1"]
    assert invoke("batches", "forget", "batch_1", "--yes").exit_code == 0
    assert ids(project) == ["batch_0"]
    assert "batch_0 cancelling" in words(invoke("batches", "--offline"))


def test_stale_fix_waits_for_batches_too(project: Path, server: StubBatches) -> None:
    assert invoke("ingest", str(write_pictures(project / "one", range(2)))).exit_code == 0
    broken = iter([(500, {"error": {"message": "overloaded"}})])
    server.fails = lambda payload: next(broken, None)
    assert invoke(*RUN).exit_code == 0
    assert reasons(project) == ["call_failed"]
    server.looks = 2
    fixed = invoke("stale", "--fix", "--yes")
    assert fixed.exit_code == 0, fixed.output
    assert reasons(project) == [] and counts(project) == {"captions": 4, "scores": 4, "pairs": 4}
    assert "Nothing is stale." in words(invoke("stale"))


def test_a_collective_takes_no_batches(project: Path, server: StubBatches) -> None:
    from rolesynth_assets.cads.collective.member import Member

    with pytest.raises(ValueError, match="a round is a conversation of many steps"):
        Member.model_validate_json(
            json.dumps(
                {"name": "a", "engine": "openai-batch", "model": "m", "base_url": server.url}
            )
        )
