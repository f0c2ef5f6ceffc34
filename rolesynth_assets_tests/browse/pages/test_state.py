import json
import sys
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from dagster._cli.job import job_execute_command
from starlette.testclient import TestClient

from rolesynth_assets.browse import making
from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.definitions import defs
from rolesynth_assets.errors import InputError
from rolesynth_assets.review.exclusions import decide
from rolesynth_assets.settings import Settings
from rolesynth_assets_tests.browse.conftest import ADDRESS
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.defs.small_graph import SmallGraph

TALK = "import sys; print('it broke'); sys.exit(3)"


def test_before_anything_was_made_the_page_says_what_to_do(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "none"))
    assert "Nothing was made yet" in words(client.get("/state").text)


def test_the_page_lists_what_is_stale_and_why_and_records_nothing(
    graph: SmallGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = graph.add_shard("few", range(2))
    graph.refresh()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: nullcontext(graph.instance))
    desk = Desk(Settings(data_root=graph.root, project=graph.project))
    app = guarded_app(desk, [ADDRESS])
    client = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    page = words(client.get("/state").text)
    assert "Nothing is stale" in page
    caption = graph.store.read("pairs", where="kept")["caption_id"][0].as_py()
    decide(graph.store, caption, excluded=True, reviewer="Ada")
    for _ in range(2):  # looking twice shows the same, for nothing is recorded
        page = words(client.get("/state").text)
        assert f"filtered_pairs[{shard}|generic1] excluded_captions" in page
    assert "pair_manifests[generic1] upstream" in page
    assert graph.instance.get_latest_data_version_record(dg.AssetKey("excluded_captions")) is None


def test_what_would_be_made_is_shown_before_the_job_is_started(
    graph: SmallGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = graph.add_shard("few", range(2))
    graph.refresh()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: nullcontext(graph.instance))
    desk = Desk(Settings(data_root=graph.root, project=graph.project))
    app = guarded_app(desk, [ADDRESS])
    client = TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)
    assert "Nothing is stale" in words(client.get("/state/make").text)
    caption = graph.store.read("pairs", where="kept")["caption_id"][0].as_py()
    decide(graph.store, caption, excluded=True, reviewer="Ada")
    assert 'href="/state/make"' in client.get("/state").text
    page = words(client.get("/state/make").text)
    assert f"filtered_pairs 1 {shard}|generic1" in page
    assert "pair_manifests" in page
    assert "No captioner, judge or collective is asked" in page
    assert "pair_manifests" not in words(client.get("/state/make?asset=filtered_pairs").text)
    assert client.get("/state/make?asset=nothing").status_code == 404

    started: list[str] = []

    def talking(config_file: str, who: str) -> list[str]:
        started.append(Path(config_file).read_text())
        return [sys.executable, "-c", TALK]

    monkeypatch.setattr(making, "command", talking)
    for form, status in (({"secret": "wrong"}, 403), ({"secret": desk.secret}, 200)):
        answer = client.post("/state/make", data=form | {"asset": "filtered_pairs"})
        assert answer.status_code == status
    assert [json.loads(text) for text in started] == [making.config(["filtered_pairs"])]
    unknown = client.post("/state/make", data={"secret": desk.secret, "asset": "nothing"})
    assert unknown.status_code == 404
    assert desk.making._process is not None
    desk.making._process.wait(60)
    assert "it broke" in words(client.get("/state").text)


def test_one_job_is_at_work_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        making, "command", lambda *_: [sys.executable, "-c", "import time; time.sleep(60)"]
    )
    one = making.Making()
    one.start([], "Ada")
    with pytest.raises(InputError, match="already"):
        one.start([], "Ada")
    assert one.working and not one.failed and one._process
    one._process.kill()
    one._process.wait(60)
    assert not one.working


def test_the_job_takes_the_config_and_dagster_takes_the_command() -> None:
    job = defs.resolve_job_def(making.JOB)
    assert [node.name for node in job.nodes] == [making.OP]
    assert dg.validate_run_config(job, making.config(["filtered_pairs"]))
    known = {option for p in job_execute_command.params for option in p.opts}
    assert {part for part in making.command("run.yaml", "Ada") if part.startswith("--")} <= known
