"""`rolesynth run` with a server that costs money: plan, question, `--shard`, `--again`."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner, Result

from rolesynth_assets.cli.app import app
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.defs.small_graph import clear_environment, write_pictures
from rolesynth_assets_tests.drills._paid_work import answer
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer

RUN = ("run", "--role-set", "generic1")


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
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StubServer]:
    with StubServer(answer, models=[{"id": "stub", "object": "model"}]) as stub:
        values = {"ENGINE": "openai", "MODEL": "stub", "BASE_URL": stub.url, "PREFLIGHT": "off"}
        for name, value in values.items():
            monkeypatch.setenv(f"ROLESYNTH_{name}", value)
        yield stub


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def words(result: Result) -> str:
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", result.output).split())


def reasons(project: Path) -> list[str]:
    rows = Store(str(project / ".rolesynth")).read("captions", None, ["reason"])
    return sorted(reason for reason in rows["reason"].to_pylist() if reason)


def test_a_plan_before_money_one_shard_and_rows_asked_again(
    project: Path, server: StubServer
) -> None:
    for name, numbers in (("one", range(4)), ("two", range(10, 14))):
        assert invoke("ingest", str(write_pictures(project / name, numbers))).exit_code == 0
    strange = invoke(*RUN, "--shard", "three-0000")
    assert strange.exit_code == 2
    assert "no shard three-0000; there are one-0000, two-0000" in words(strange)
    assert "no reason late; rows end as call_failed, " in words(invoke(*RUN, "--again", "late"))

    refused = invoke(*RUN, "--shard", "one-0000")
    assert refused.exit_code == 2
    assert "8 captions about 4 images by stub" in words(refused)
    assert "8 scores about 4 images by stub" in words(refused)
    assert "in all: 16 calls" in words(refused)
    assert "cost about 6.00" in words(refused)
    assert "Nothing was asked of a model" in words(refused) and "--yes" in words(refused)
    assert not server.requests

    cut = iter([Fault("length"), Fault("refusal")])
    server.faults = lambda request: next(cut, None)
    paid = invoke(*RUN, "--shard", "one-0000", "--yes")
    assert paid.exit_code == 0, paid.output
    assert len(server.requests) == 8 + 6
    assert "Models were asked: 14 calls (at most 16 expected)" in words(paid)
    assert reasons(project) == ["refused", "truncated"]

    left = invoke(*RUN, "--again", "too_long", "--yes")
    assert "No row ended as too_long (rows without a result: refused 1, truncated 1)" in words(left)
    again = invoke(*RUN, "--again", "truncated", "--yes")
    assert again.exit_code == 0, again.output
    assert "1 captions about 1 images by stub" in words(again)
    assert "as in 8 earlier rows" in words(again)
    assert len(server.requests) == 14 + 2  # the caption and its score
    assert reasons(project) == ["refused"]
    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("overview"))
    assert event and event.asset_materialization  # each command leaves the numbers of today
    shown = event.asset_materialization.metadata
    assert shown["rolesynth/calls_so_far"].value == len(server.requests)


def test_a_failing_shard_stops_no_other(project: Path, server: StubServer) -> None:
    broken = write_pictures(project / "broken", range(3))
    (broken / "zero.jpg").write_bytes(b"")
    failed = invoke("ingest", str(broken))
    assert failed.exit_code == 1
    assert "thresholds.max_reject_share (now 0.2); 0.25 would accept this" in words(failed)
    assert "zero.jpg (empty)" in words(failed)
    later = invoke("ingest", str(write_pictures(project / "good", range(10, 12))))
    assert later.exit_code == 0, later.output
    assert "shard broken-0000 did not pass its checks" in words(later)
    shown = invoke("rejects")
    assert "broken-0000: 3 images, 1 rejected" in words(shown)
    assert "good-0000" not in words(shown)

    run = invoke(*RUN, "--yes")  # tried again, and known: all else was made
    assert run.exit_code == 0, run.output
    assert "Left out, as before this command: broken-0000." in words(run)
    for said in ("(now 0.2)", "`rolesynth rejects broken-0000`", "`rolesynth forget broken-0000`"):
        assert said in words(run)
    assert invoke(*RUN, "--shard", "broken-0000", "--yes").exit_code == 1
    store = Store(str(project / ".rolesynth"))
    assert set(store.read("pairs", None, ["shard"])["shard"].to_pylist()) == {"good-0000"}
    assert "image_shards[broken-0000]: blocking check rejects_bounded failed" in words(run)

    forgotten = invoke("forget", "broken-0000")
    assert forgotten.exit_code == 0, forgotten.output
    assert "Forgotten: broken-0000" in words(forgotten)
    assert invoke(*RUN, "--yes").exit_code == 0
    assert invoke("forget", "broken-0000").exit_code == 2
    (broken / "zero.jpg").unlink()
    back = invoke("ingest", str(broken), "--again")
    assert back.exit_code == 0, back.output
    assert "1 shard changed: broken-0000" in words(back)
    assert store.count("images", {"shard": "broken-0000"}) == 3
