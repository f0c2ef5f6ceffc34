import html
import io
import re
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from starlette.testclient import TestClient

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.files.atomic_files import write_bytes
from rolesynth_assets.lineage.withdraw.withdrawal import withdraw
from rolesynth_assets.store.text_index import TextIndex
from rolesynth_assets_tests.hostile import hostile_texts
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld


def words(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_without_captions_the_page_says_what_to_do(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert "rolesynth run --role-set" in answer.text


def test_the_grid_shows_texts_scores_and_decisions(client: TestClient, world: StoredWorld) -> None:
    answer = client.get(f"/images?role_set={ROLE_SET}")
    assert answer.status_code == 200
    assert "10 images" in words(answer.text)
    for row in world.store.read("captions").to_pylist():
        assert row["text"] in html.unescape(answer.text)
    assert answer.text.count("chip kept") == world.store.count("pairs", where="kept")


def test_filters_of_the_address_are_applied_and_can_be_removed(
    client: TestClient, world: StoredWorld
) -> None:
    page = words(client.get("/images?decision=kept&role=Poet&low=1").text)
    kept = world.store.count("pairs", where="kept AND role = 'Poet'")
    assert f"with {kept} caption" in page
    assert "decision kept" in page
    assert "role Poet" in page
    assert "No caption matches" in words(client.get("/images?low=100&high=1").text)


@pytest.mark.parametrize("address", ["/images?page=x", "/images?sort=1;drop"])
def test_a_broken_address_is_refused_in_words(
    client: TestClient, world: StoredWorld, address: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == 400
    assert "is no" in words(answer.text)


def test_an_unknown_role_set_lists_those_there_are(client: TestClient, world: StoredWorld) -> None:
    answer = client.get("/images?role_set=nobody")
    assert answer.status_code == 404
    assert f"there are {ROLE_SET}" in words(answer.text)


def test_a_search_shows_matching_captions_alone(client: TestClient, indexed: StoredWorld) -> None:
    texts = indexed.store.read("captions").to_pylist()
    word = next(w for w in texts[0]["text"].split() if len(w) > 4)
    wanted = [row for row in texts if word in row["text"].split()]
    page = client.get(f"/images?q={word}").text
    assert f"with {len(wanted)} caption" in words(page)
    assert f"<mark>{word}</mark>" in page


def test_without_an_index_the_page_names_the_command(
    client: TestClient, world: StoredWorld
) -> None:
    page = words(client.get("/images?q=red").text)
    assert "no index for a search by words yet" in page
    assert "rolesynth stale --asset caption_index --fix --missing" in page
    assert "10 images" in page


def test_an_index_that_is_behind_says_so(client: TestClient, indexed: StoredWorld) -> None:
    assert "brings it up to date" not in words(client.get("/images?q=red").text)
    indexed.store.remove("captions", f"image_id = '{indexed.images['s0'][0]}'")
    assert "brings it up to date" in words(client.get("/images?q=red").text)


def test_an_image_has_a_page_with_all_it_led_to(client: TestClient, world: StoredWorld) -> None:
    image = world.images["s0"][0]
    answer = client.get(f"/images/{image}")
    assert answer.status_code == 200
    for row in world.store.read("captions", where=f"image_id = '{image}'").to_pylist():
        assert row["text"] in html.unescape(answer.text)
        assert f"/runs/{row['run_id']}" in answer.text
    assert client.get("/images/" + "0" * 64).status_code == 404
    assert client.get("/images/x").status_code == 404


def test_thumbnails_are_made_once_and_gone_with_their_image(
    client: TestClient, world: StoredWorld, desk: Desk
) -> None:
    image = world.images["s0"][0]
    answer = client.get(f"/thumbnails/{image}")
    assert answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"
    kept = desk.settings.paths.thumbnail(image)
    kept.write_bytes(b"made before")
    assert client.get(f"/thumbnails/{image}").content == b"made before"
    assert client.get("/thumbnails/" + "0" * 64).status_code == 404
    assert client.get(f"/pictures/{image}").headers["content-type"] == "image/png"


def test_no_text_is_markup(client: TestClient, world: StoredWorld) -> None:
    rows = world.store.read("captions", {"shard": "s0", "role_set": ROLE_SET})
    said = hostile_texts()
    texts = [said[n % len(said)] for n in range(rows.num_rows)]
    for name in ("text", "detail", "model", "role"):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, name, pa.array(texts, pa.string()))
    world.store.replace("captions", {"shard": "s0", "role_set": ROLE_SET}, rows)
    TextIndex(world.root, ROLE_SET).build(world.store)
    image = world.images["s0"][0]
    for address in ("/images", "/images?q=beacon", f"/images/{image}"):
        page = client.get(address).text
        assert "beacon.png" in page
        for tag in re.findall(r"<(?:img|script|a|link|iframe|svg|style|form)\b[^>]*>", page):
            # a text may be the value of a parameter, never an address of its own
            source = re.search(r'(?:src|href|action)="([^"]*)"', tag)
            assert source is None or source[1].startswith(("/", "?", "#", "http://127.0.0.1:3000"))
        assert not re.findall(r"<(?:iframe|style|svg|s|u|table)\b", page)


def test_a_thumbnail_does_not_outlive_its_image(
    client: TestClient, world: StoredWorld, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, late, *_ = world.images["s0"]
    path = desk.settings.paths.thumbnail(kept)
    assert client.get(f"/thumbnails/{kept}").status_code == 200
    small = path.read_bytes()
    withdraw(world.store, world.small, world.root, [kept], "licence")
    write_bytes(path, small)  # by a server that was slower than the withdrawal
    assert client.get(f"/thumbnails/{kept}").status_code == 404
    assert not path.exists()

    def slow(path: Path, content: bytes) -> None:
        withdraw(world.store, world.small, world.root, [late], "licence")
        write_bytes(path, content)

    monkeypatch.setattr("rolesynth_assets.browse.thumbnails.write_bytes", slow)
    assert client.get(f"/thumbnails/{late}").status_code == 404
    assert not desk.settings.paths.thumbnail(late).exists()
