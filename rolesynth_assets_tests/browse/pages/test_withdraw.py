from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.settings import Settings
from rolesynth_assets.store.tombstones import withdrawn_images
from rolesynth_assets_tests.browse.conftest import ADDRESS
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.defs.small_graph import SmallGraph
from rolesynth_assets_tests.lineage.stored_world import StoredWorld


def test_what_would_go_is_shown_first_and_nothing_is_changed(
    client: TestClient, world: StoredWorld
) -> None:
    image = world.images["s0"][0]
    assert f"/withdraw/{image}" in client.get(f"/trace?subject=image:{image}").text
    said = words(client.get(f"/withdraw/{image}").text)
    assert "captions 4" in said and "images 1" in said
    assert "Reason, kept with the tombstone" in said
    assert world.store.count("captions", where=f"image_id = '{image}'") == 4
    assert image not in withdrawn_images(world.root)
    assert client.get("/withdraw/x").status_code == 404


@pytest.mark.parametrize(
    ("reason", "secret", "origin", "status"),
    [
        (" ", None, None, 400),
        ("why", "wrong", None, 403),
        ("why", None, "http://evil.example", 403),
    ],
)
def test_without_reason_or_right_nothing_is_withdrawn(
    client: TestClient,
    world: StoredWorld,
    desk: Desk,
    reason: str,
    secret: str | None,
    origin: str | None,
    status: int,
) -> None:
    image = world.images["s0"][0]
    form = {"secret": secret or desk.secret, "image": image, "reason": reason}
    headers = {"origin": origin} if origin else {}
    assert client.post("/withdrawals", data=form, headers=headers).status_code == status
    assert image not in withdrawn_images(world.root)


def test_a_withdrawal_removes_the_rows_and_says_what_became_stale(
    graph: SmallGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = graph.add_shard("few", range(3))
    graph.refresh()
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr(dg.DagsterInstance, "get", lambda: nullcontext(graph.instance))
    desk = Desk(Settings(data_root=graph.root, project=graph.project))
    client = TestClient(guarded_app(desk, [ADDRESS]), base_url=ADDRESS)
    image = graph.store.read("images")["image_id"][0].as_py()
    form = {"secret": desk.secret, "image": image, "reason": "<i>the licence</i>"}
    page = client.post("/withdrawals", data=form)
    assert page.status_code == 200
    assert "<i>the licence" not in page.text
    assert "pair_manifests[generic1]" in words(page.text)
    assert graph.store.count("captions", where=f"image_id = '{image}'") == 0
    assert graph.store.count("images") == 2
    assert image in withdrawn_images(graph.root)
    assert shard in words(client.get("/state").text)
