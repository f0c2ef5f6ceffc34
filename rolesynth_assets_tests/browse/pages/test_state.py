from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.review.exclusions import decide
from rolesynth_assets.settings import Settings
from rolesynth_assets_tests.browse.conftest import ADDRESS
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.defs.small_graph import SmallGraph


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
