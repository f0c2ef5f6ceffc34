import html

import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.browse.problem_cards import ProblemView, listed_candidates, word_diff
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.lineage.stored_problems import (
    CONTEXT,
    DOMAIN,
    ROUNDS,
    key,
    store_problems,
)


@pytest.fixture
def stored(desk: Desk) -> Desk:
    store_problems(desk.store, desk.small)
    return desk


def test_without_problems_the_page_says_what_to_do(client: TestClient) -> None:
    assert "rolesynth problems" in client.get("/problems").text


def test_each_candidate_has_its_verdicts_reference_and_context(
    client: TestClient, stored: Desk
) -> None:
    page = client.get("/problems").text
    said = words(page)
    assert "3 candidates" in said
    candidates = stored.store.read("candidates").to_pylist()
    for row in candidates:
        assert f'id="{row["candidate_id"]}"' in page
        assert row["question"] in html.unescape(page)
    assert page.count("<tbody>") == 3
    assert said.count("ada") >= 3
    assert CONTEXT in said


def test_filters_of_the_address_are_applied(client: TestClient, stored: Desk) -> None:
    page = client.get(f"/problems?domain={DOMAIN}&round={ROUNDS[1]}").text
    assert "1 candidate" in words(page)
    assert key("p2") in page
    hard = client.get("/problems?hard=hard").text
    for row in stored.store.read("candidates").to_pylist():
        assert (row["candidate_id"] in hard) is row["hard"]
    assert "No candidate matches" in words(client.get("/problems?decision=none").text)
    assert client.get("/problems?page=x").status_code == 400


def test_candidates_of_the_last_round_come_first(stored: Desk) -> None:
    rounds = listed_candidates(stored.store)["round"].to_list()
    assert rounds == sorted(rounds, reverse=True)


def test_only_a_picture_is_served_as_one(client: TestClient, stored: Desk) -> None:
    assert client.get(f"/drawings/{key('p1')}").status_code == 404  # its bytes are no picture
    assert client.get("/drawings/x'%20OR%20true").status_code == 404


def test_the_address_holds_the_state() -> None:
    view = ProblemView(domain="a b", hard="hard", page=3)
    assert view.query(page=4) == "domain=a+b&hard=hard&page=4"
    assert view.query(hard="") == "domain=a+b"


def test_a_diff_holds_every_word_of_both_texts() -> None:
    before, after = "Ask for two steps of counting.", "Ask for three steps, then for two."
    parts = list(word_diff(before, after))
    assert " ".join(said for kind, said in parts if kind != "new") == before
    assert " ".join(said for kind, said in parts if kind != "gone") == after
    assert ("same", "Ask for") in parts
    assert list(word_diff("", "")) == []
