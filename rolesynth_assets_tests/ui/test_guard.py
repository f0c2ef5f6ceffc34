"""Who may ask the webserver for what: requests as browsers send them, against a stub of it."""

import asyncio
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from rolesynth_assets.ui.guard import Guard
from rolesynth_assets.ui.origins import own_origins

OURS = "http://127.0.0.1:3000"
JSON = {"content-type": "application/json"}
PAGE = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "origin": OURS}
LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
PICTURE = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors", "accept": "image/*,*/*"}


async def webserver(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
    else:
        headers = {"Content-Security-Policy": "base-uri 'none'", "Referrer-Policy": "origin"}
        await PlainTextResponse("reached", headers=headers)(scope, receive, send)


def ask(
    method: str,
    path: str,
    headers: dict[str, str],
    kind: str = "http",
    host: str = "127.0.0.1:3000",
) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    raw = [(k.encode(), v.encode()) for k, v in ({"host": host} | headers).items()]
    scope: dict[str, Any] = {"type": kind, "path": path, "headers": raw, "query_string": b""}
    if kind == "http":
        scope["method"] = method
    guard = Guard(webserver, [*own_origins("127.0.0.1", 3000), "https://ui.example.org"])
    asyncio.run(guard(scope, receive, send))
    return sent


def status(*args: Any, **kwargs: Any) -> int:
    return ask(*args, **kwargs)[0]["status"]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", "/graphql", JSON | PAGE),
        ("POST", "/graphql", JSON),  # a script on this machine
        ("POST", "/graphql", {"content-type": "Application/JSON; charset=utf-8"} | PAGE),
        ("GET", "/", {"sec-fetch-site": "none"}),
        ("GET", "/assets/pairs", LINK),
        (
            "GET",
            "/graphql",
            {"accept": "text/html"},
        ),  # the playground runs nothing
        ("GET", "/_next/static/main.js", {"sec-fetch-site": "same-origin"}),
    ],
)
def test_what_its_own_pages_and_scripts_ask_for_passes(method, path, headers) -> None:
    assert status(method, path, headers) == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "refused"),
    [
        ("GET", "/graphql", PICTURE, 405),
        ("GET", "/graphql/", PICTURE, 405),
        ("HEAD", "/graphql", {}, 405),
        ("PUT", "/graphql", JSON, 405),
        ("OPTIONS", "/graphql", {}, 405),
        ("POST", "/graphql", {}, 415),
        ("POST", "/graphql", {"content-type": "text/plain; application/json"}, 415),
        ("POST", "/graphql", {"content-type": "application/graphql"}, 415),
        ("POST", "/report_asset_materialization/pairs", {}, 415),
        ("GET", "/notebook", {}, 404),
        ("POST", "/graphql", JSON | {"origin": "http://evil.example"}, 403),
        ("POST", "/graphql", JSON | {"origin": "null"}, 403),
        ("POST", "/graphql", JSON | {"origin": "http://127.0.0.1:3001"}, 403),
        ("POST", "/graphql", JSON | {"sec-fetch-site": "same-site"}, 403),
        ("GET", "/logs/a.out", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ("GET", "/", LINK | {"sec-fetch-dest": "iframe"}, 403),
        ("POST", "/graphql", JSON | LINK, 403),
    ],
)
def test_what_another_origin_can_make_a_browser_send_is_refused(
    method, path, headers, refused
) -> None:
    assert status(method, path, headers) == refused


@pytest.mark.parametrize("host", ["evil.example:3000", "127.0.0.1:3001", "127.0.0.1", ""])
def test_a_name_that_was_rebound_to_this_machine_is_refused(host: str) -> None:
    assert status("GET", "/", {}, host=host) == 403
    said = ask("GET", "/", {}, host=host)[1]["body"].decode()
    assert "rolesynth ui --origin" in said


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:3000", "ui.example.org"])
def test_each_address_of_ours_is_answered(host: str) -> None:
    assert status("GET", "/", {}, host=host) == 200


@pytest.mark.parametrize(
    ("headers", "first"),
    [
        ({"origin": OURS}, "websocket.accept"),
        ({"origin": "http://evil.example"}, "websocket.close"),
        ({"origin": "null"}, "websocket.close"),
        ({"origin": OURS, "host": "evil.example:3000"}, "websocket.close"),
    ],
)
def test_a_web_socket_of_another_origin_is_closed(headers: dict[str, str], first: str) -> None:
    assert ask("GET", "/graphql", headers, kind="websocket")[0]["type"] == first


def test_every_answer_names_what_its_page_may_load() -> None:
    for path in ("/", "/notebook"):
        raw = ask("GET", path, {})[0]["headers"]
        policies = [v.decode() for k, v in raw if k == b"content-security-policy"]
        headers = {k.decode(): v.decode() for k, v in raw}
        assert "img-src 'self' data:;" in policies[-1]
        assert "connect-src 'self';" in policies[-1]
        assert "frame-ancestors 'none'" in policies[-1]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    assert policies[0] == policies[-1]
    raw = ask("GET", "/", {})[0]["headers"]
    assert (b"content-security-policy", b"base-uri 'none'") in raw  # the webserver's own stays
