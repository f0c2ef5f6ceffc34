"""The guard in front of the Dagster webserver, which accepts requests from its own pages only.

The webserver has no log-in, runs code on request and accepts a mutation in the URL of a GET. So a
picture in a text, or a page of another site in the same browser, could start runs or delete the
history.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRAPHQL = "/graphql"
REFUSED_PATHS = ("/notebook", "/dagit")
"""Paths that show any notebook file as HTML; this project has no notebooks."""
READING = ("GET", "HEAD")
_SAME = ("same-origin", "none")  # none: typed into the address bar
POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self' data:",
        "style-src 'self' 'unsafe-inline'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # index.html has a nonce besides
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware that refuses requests of other origins and sends a strict policy.

    Args:
        app: the webserver.
        origins: addresses under which the pages are opened, such as ``http://127.0.0.1:3000``. A
            request must name the host of one of them. If the browser sends an origin, it must be
            one of them, too.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._hosts = frozenset(urlsplit(origin).netloc for origin in self._origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with a one-line response."""
        if scope["type"] == "websocket":
            if self._foreign(scope):
                await send({"type": "websocket.close", "code": 1008})
                return
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            refusal = self._refusal(scope)
            app = PlainTextResponse(refusal[1] + "\n", refusal[0]) if refusal else self._app
            await app(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        if why := self._foreign(scope):
            return 403, why
        headers, path = Headers(scope=scope), scope["path"].rstrip("/")
        if path.startswith(REFUSED_PATHS):
            return 404, "no notebooks here"
        if scope["method"] in READING:
            if path == GRAPHQL and "text/html" not in headers.get("accept", ""):
                return 405, "GraphQL takes POST with JSON only: a GET must change nothing"
        elif scope["method"] != "POST":
            return 405, "only GET, HEAD and POST are answered"
        elif headers.get("content-type", "").partition(";")[0].strip().lower() != (
            "application/json"
        ):
            return 415, "a POST needs the content type application/json"
        return None

    def _foreign(self, scope: Scope) -> str:
        """Return why a request is not from the UI's own pages; empty if it is."""
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return (
                f"the host {headers.get('host')!r} is none of {', '.join(sorted(self._hosts))}; "
                "behind a proxy, start the UI with `rolesynth ui --origin ADDRESS`"
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            return f"a page of {origin!r} may not ask the Dagster UI for anything"
        site = headers.get("sec-fetch-site", "none")
        if site not in _SAME and not _is_link(scope, headers):
            return "a page of another site may only link to the Dagster UI"
        return ""


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Return whether a request comes from a followed link, which opens a page and does no more."""
    opens = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return scope.get("method") == "GET" and opens == ("navigate", "document")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # added to the webserver's own policy: a browser enforces both
            headers.append("Content-Security-Policy", POLICY)
            headers.update(HEADERS)
        await send(message)

    return sending
