"""Who may ask the pages for what."""

import pytest
from starlette.testclient import TestClient

from rolesynth_assets.browse.app import guarded_app
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets_tests.browse.conftest import ADDRESS


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example:3100"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        (
            {
                "sec-fetch-site": "same-site",
                "sec-fetch-mode": "navigate",
                "sec-fetch-dest": "document",
            },
            200,
        ),
    ],
)
def test_other_sites_may_only_link(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.get("/images", headers=headers).status_code == status


def test_every_answer_has_the_strict_policy(client: TestClient) -> None:
    for path in ("/images", "/static/browse.css", "/nothing", "/images?page=x"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_need_no_other_host(client: TestClient) -> None:
    page = client.get("/images").text
    assert "<style" not in page
    assert "//" not in page.replace("http://127.0.0.1:3000", "").replace("<!doctype", "")


def test_elsewhere_a_token_opens_the_pages(desk: Desk) -> None:
    app = guarded_app(desk, [ADDRESS], token="s3cret")
    client = TestClient(app, base_url=ADDRESS, follow_redirects=False)
    assert client.get("/images").status_code == 403
    assert client.get("/images?token=wrong").status_code == 403
    assert client.get("/static/browse.css").status_code == 403
    moved = client.get("/images?token=s3cret&page=1")
    assert moved.status_code == 303
    assert moved.headers["location"] == "/images?page=1"  # the token is not left in the address
    assert "HttpOnly" in moved.headers["set-cookie"]
    assert client.get("/images").status_code == 200


def test_methods_and_bodies_that_no_page_sends_are_refused(client: TestClient) -> None:
    assert client.put("/images").status_code == 405
    assert client.post("/images", json={}).status_code == 415
