import re

import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.desk import REVIEWER, Desk
from rolesynth_assets.review.labels import read_labels
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.lineage.stored_world import ROLE_SET, StoredWorld

HERE = f"/review?role_set={ROLE_SET}&reviewer=Ada"


def asked(page: str) -> str:
    """The caption that a page of the review asks about."""
    form = re.search(r'class="answers">.*?name="caption_id" value="(\w+)"', page, re.DOTALL)
    assert form
    return form[1]


def say(client: TestClient, desk: Desk, caption: str, answer: str, **more: str) -> str:
    form = {"secret": desk.secret, "role_set": ROLE_SET, "reviewer": "Ada"}
    form |= {"caption_id": caption, "answer": answer}
    done = client.post("/review", data=form | more)
    assert done.status_code == 200, done.text
    return done.text


def test_a_name_is_asked_for_first(client: TestClient, world: StoredWorld) -> None:
    page = client.get("/review").text
    assert "Enter your name" in words(page)
    assert 'class="answers"' not in page


def test_score_and_decision_are_not_shown_before_the_answer(
    client: TestClient, world: StoredWorld
) -> None:
    page = client.get(HERE).text
    assert "<meter" not in page
    assert "chip" not in page
    assert "The filter kept" not in words(page)


def test_answers_lead_to_the_next_caption_and_can_be_undone(
    client: TestClient, world: StoredWorld, desk: Desk
) -> None:
    first = asked(client.get(HERE).text)
    page = say(client, desk, first, "true")
    second = asked(page)
    assert second != first
    rows = read_labels(desk.store, ROLE_SET).to_dicts()
    assert [(r["caption_id"], r["truth"], r["fits"]) for r in rows] == [(first, "true", True)]
    assert "You said true" in words(page)
    page = say(client, desk, first, "undo")
    assert asked(page) == first
    assert read_labels(desk.store, ROLE_SET).is_empty()


def test_all_answered_measures_the_filter(
    client: TestClient, world: StoredWorld, desk: Desk
) -> None:
    page = client.get(HERE).text
    kept = set(desk.store.read("pairs", where="kept")["caption_id"].to_pylist())
    for _ in range(40):
        caption = asked(page)
        page = say(client, desk, caption, "true" if caption in kept else "false")
    said = words(page)
    assert "You have answered all captions" in said
    assert f"{len(kept)} kept and {40 - len(kept)} dropped captions" in said
    assert re.search(r"Precision 100 % \d+ to 100 %", said)
    assert re.search(r"Recall 100 %", said)


def test_a_wrong_kept_caption_can_be_excluded_and_taken_back(
    client: TestClient, world: StoredWorld, desk: Desk
) -> None:
    (row, *_) = desk.store.read("pairs", where="kept").to_pylist()
    caption, image = row["caption_id"], row["image_id"]
    page = say(client, desk, caption, "false")
    assert "Exclude it from training" in words(page)
    back = f"/images/{image}"
    form = {"secret": desk.secret, "caption_id": caption, "reviewer": "Ada", "back": back}
    page = client.post("/exclusions", data=form | {"excluded": "yes", "note": "<b>no dog</b>"}).text
    assert "Excluded by Ada" in words(page)
    assert "<b>no dog</b>" not in page
    page = client.post("/exclusions", data=form | {"excluded": "no"}).text
    assert "Excluded by Ada" not in words(page)


@pytest.mark.parametrize("secret", ["", "wrong"])
@pytest.mark.parametrize("path", ["/review", "/exclusions"])
def test_a_form_of_no_page_of_this_session_writes_nothing(
    client: TestClient, world: StoredWorld, desk: Desk, path: str, secret: str
) -> None:
    caption = desk.store.read("pairs")["caption_id"][0].as_py()
    form = {"secret": secret, "role_set": ROLE_SET, "reviewer": "Eve", "caption_id": caption}
    answer = client.post(path, data=form | {"answer": "true", "excluded": "yes"})
    assert answer.status_code == 403
    form["secret"] = desk.secret
    foreign = {"origin": "http://evil.example"}
    assert client.post(path, data=form, headers=foreign).status_code == 403
    assert desk.store.count("human_labels") == desk.store.count("exclusions") == 0


@pytest.mark.parametrize(
    "back", ["http://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_form_leads_nowhere_else(
    client: TestClient, world: StoredWorld, desk: Desk, back: str
) -> None:
    caption = desk.store.read("pairs")["caption_id"][0].as_py()
    form = {"secret": desk.secret, "caption_id": caption, "reviewer": "Ada", "back": back}
    answer = client.post("/exclusions", data=form, follow_redirects=False)
    assert answer.headers["location"] == "/images"


def test_what_cannot_be_answered_is_refused_in_words(
    client: TestClient, world: StoredWorld, desk: Desk
) -> None:
    form = {"secret": desk.secret, "role_set": ROLE_SET, "reviewer": "Ada", "caption_id": "0" * 64}
    assert client.post("/review", data=form | {"answer": "maybe"}).status_code == 400
    assert "no longer stored" in words(client.post("/review", data=form | {"answer": "true"}).text)
    long = client.post("/review", data=form | {"answer": "x" * 70_000})
    assert long.status_code == 413


def test_a_link_does_not_set_the_reviewers_name_and_an_answer_does(
    client: TestClient, world: StoredWorld, desk: Desk
) -> None:
    page = client.get(HERE).text
    assert not client.cookies
    say(client, desk, asked(page), "true")
    assert client.cookies[REVIEWER] == "Ada"
    client.get(HERE.replace("Ada", "Eve"))
    assert client.cookies[REVIEWER] == "Ada"
