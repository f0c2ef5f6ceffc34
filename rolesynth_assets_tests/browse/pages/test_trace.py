import html
import re

from starlette.testclient import TestClient

from rolesynth_assets.browse.pages.trace import distant
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.lineage.stored_world import StoredWorld, recipe


def test_one_can_walk_from_a_picture_to_a_score_and_back(
    client: TestClient, world: StoredWorld
) -> None:
    world.train(recipe(), "a" * 64)
    image = world.images["s0"][0]
    seen, waiting = set(), [f"/trace?subject=image:{image}"]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, (address, words(answer.text))
        if len(seen) < 40:
            found = re.findall(r'class="node.*?href="(/trace[^"]+)"', answer.text, re.DOTALL)
            waiting += map(html.unescape, found)
    kinds = {address.split("subject=")[1].split("%3A")[0] for address in seen}
    assert {"caption", "score"} <= kinds
    assert any(address.endswith("a" * 64) for address in seen)
    assert any("benchmark_scores" in address for address in seen)
    assert any(image in address for address in seen)


def test_everything_is_listed_once_below_what_leads_to_it(world: StoredWorld) -> None:
    world.train(recipe(), "a" * 64)
    found = trace(world.sources, f"image:{world.images['s0'][0]}")
    listed = distant(found, causes=False)
    ids = [node.id for _, node in listed]
    assert len(ids) == len(set(ids))
    assert {*ids} == {*found.nodes} - {found.subject} - {
        n.id for _, n in distant(found, causes=True)
    } - {node.id for node in found.nodes.values() if node.id.kind == "role"}
    assert listed[0][0] == 0


def test_what_is_not_there_is_said_in_words(client: TestClient, world: StoredWorld) -> None:
    assert "Enter the id" in words(client.get("/trace").text)
    answer = client.get("/trace?subject=<script>alert(1)</script>")
    assert answer.status_code == 404
    assert "neither a file" in words(answer.text)
    assert "<script>alert" not in answer.text
