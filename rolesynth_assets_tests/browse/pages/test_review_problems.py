import re

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.desk import REVIEWER, Desk
from rolesynth_assets.review.problem_labels import read_problem_labels, reviewed_candidates
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.browse.pages.test_images import words
from rolesynth_assets_tests.captions.image_rows import picture
from rolesynth_assets_tests.lineage.stored_problems import DOMAIN, key, store_problems

HERE = f"/review/problems?domain={DOMAIN}&reviewer=Ada"
HOSTILE = "<script>alert(1)</script>"


def store_candidates(store: Store, small: SmallTables, said: str) -> None:
    """Store a dozen further candidates of one round, eight of them kept."""
    store_problems(store, small)
    row = store.read("candidates").to_pylist()[0]
    where = {"domain": DOMAIN, "round": row["round"]}
    rows = [
        row
        | {
            "candidate_id": key(f"c{n}"),
            "question": f"How many? {said} {n}",
            "answer": str(n),
            "image_id": key(f"i{n}"),
            "image": picture(n),
            "decision": "kept" if n < 8 else "discarded",
        }
        for n in range(12)
    ]
    schema = store.read("candidates").schema
    store.append("candidates", where, pa.Table.from_pylist(rows, schema=schema))


@pytest.fixture
def stored(desk: Desk) -> Desk:
    store_candidates(desk.store, desk.small, HOSTILE)
    return desk


def asked(page: str) -> str:
    form = re.search(r'class="answers">.*?name="candidate_id" value="(\w+)"', page, re.DOTALL)
    assert form
    return form[1]


def say(client: TestClient, desk: Desk, candidate: str, answer: str, who: str = "Ada") -> str:
    form = {"secret": desk.secret, "domain": DOMAIN, "reviewer": who}
    done = client.post(
        "/review/problems", data=form | {"candidate_id": candidate, "answer": answer}
    )
    assert done.status_code == 200, done.text
    return done.text


def test_without_problems_the_page_says_what_to_do(client: TestClient) -> None:
    assert "rolesynth problems" in client.get("/review/problems").text


def test_the_decision_is_not_shown_before_the_answer(client: TestClient, stored: Desk) -> None:
    assert 'class="answers"' not in client.get("/review/problems").text
    page = client.get(HERE).text
    assert "The collective kept it" not in words(page)
    assert "discarded it" not in words(page)
    assert "<script>alert" not in page


def test_answers_lead_to_the_next_problem_and_can_be_undone(
    client: TestClient, stored: Desk
) -> None:
    first = asked(client.get(HERE).text)
    page = say(client, stored, first, "unsolvable")
    assert asked(page) != first
    assert "You said it cannot be solved" in words(page)
    (row,) = read_problem_labels(stored.store, DOMAIN).to_dicts()
    assert (row["candidate_id"], row["judgement"], row["truth"]) == (first, "unsolvable", "false")
    assert client.cookies[REVIEWER] == "Ada"
    assert asked(say(client, stored, first, "undo")) == first
    assert read_problem_labels(stored.store, DOMAIN).is_empty()


def test_all_answered_measures_the_collective(client: TestClient, stored: Desk) -> None:
    strata = dict(reviewed_candidates(stored.store, DOMAIN).iter_rows())
    page = client.get(HERE).text
    order = []
    for _ in strata:
        order.append(asked(page))
        page = say(client, stored, order[-1], "true" if strata[order[-1]] == "kept" else "false")
    said = words(page)
    assert f"You have answered all problems of {DOMAIN}" in said
    assert re.search(r"Right among the kept 100 %", said)
    assert {strata[c] for c in order[:2]} == {"kept", "dropped"}  # the strata alternate
    for candidate in order[:4]:
        page = say(client, stored, candidate, "true", who="Bo")
    assert "Ada, Bo 4" in words(page)


def test_forms_of_others_and_unknown_problems_write_nothing(
    client: TestClient, stored: Desk
) -> None:
    form = {"domain": DOMAIN, "reviewer": "Eve", "candidate_id": key("c1"), "answer": "true"}
    assert client.post("/review/problems", data=form | {"secret": "no"}).status_code == 403
    good = form | {"secret": stored.secret}
    foreign = {"origin": "http://evil.example"}
    assert client.post("/review/problems", data=good, headers=foreign).status_code == 403
    for wrong in ({"answer": "maybe"}, {"candidate_id": "0" * 64}, {"reviewer": " "}):
        assert client.post("/review/problems", data=good | wrong).status_code == 400
    assert stored.store.count("problem_labels") == 0
    assert client.get("/review/problems?domain=none").status_code == 404
