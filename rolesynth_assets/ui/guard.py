"""The guard in front of a site on this machine, which accepts requests from its own pages only.

The Dagster webserver has no log-in, runs code on request and accepts a mutation in the URL of a
GET. So a picture in a text, or a page of another site in the same browser, could start runs or
delete the history. The pages of `rolesynth browse` are behind the same guard, with a stricter
policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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


Refusal = tuple[int, str] | None
"""Status and sentence of a request that is refused."""


@dataclass(frozen=True)
class Site:
    """What a guard must know of the pages behind it.

    Attributes:
        command: the command that serves them, which takes `--origin ADDRESS`.
        policy: content security policy of every response.
        headers: further headers of every response.
        takes: media type of the body of a POST.
        refusal: why a request of the site's own pages is refused beside its method and its body.
    """

    command: str
    policy: str
    headers: Mapping[str, str]
    takes: str
    refusal: Callable[[Scope], Refusal] | None = None


class Guard:
    """ASGI middleware that refuses requests of other origins and sends a strict policy.

    Args:
        app: the webserver.
        origins: addresses under which the pages are opened, such as ``http://127.0.0.1:3000``. A
            request must name the host of one of them. If the browser sends an origin, it must be
            one of them, too.
        site: what the pages behind the guard are; the Dagster UI by default.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str], site: Site | None = None) -> None:
        self._app, self._site = app, site or DAGSTER
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
            await app(scope, receive, _with_headers(send, self._site))
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal:
        if why := self._foreign(scope):
            return 403, why
        if self._site.refusal and (refusal := self._site.refusal(scope)):
            return refusal
        if scope["method"] in READING:
            return None
        if scope["method"] != "POST":
            return 405, "only GET, HEAD and POST are answered"
        kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
        if kind != self._site.takes:
            return 415, f"a POST needs the content type {self._site.takes}"
        return None

    def _foreign(self, scope: Scope) -> str:
        """Return why a request is not from the site's own pages; empty if it is."""
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self._hosts:
            return (
                f"the host {headers.get('host')!r} is none of {', '.join(sorted(self._hosts))}; "
                f"behind a proxy, start the pages with `{self._site.command} --origin ADDRESS`"
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            return f"a page of {origin!r} may not ask `{self._site.command}` for anything"
        site = headers.get("sec-fetch-site", "none")
        if site not in _SAME and not _is_link(scope, headers):
            return f"a page of another site may only link to `{self._site.command}`"
        return ""


def _is_link(scope: Scope, headers: Headers) -> bool:
    """Return whether a request comes from a followed link, which opens a page and does no more."""
    opens = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return scope.get("method") == "GET" and opens == ("navigate", "document")


def _with_headers(send: Send, site: Site) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            # added to the webserver's own policy: a browser enforces both
            headers.append("Content-Security-Policy", site.policy)
            headers.update(site.headers)
        await send(message)

    return sending


def _of_dagster(scope: Scope) -> Refusal:
    headers, path = Headers(scope=scope), scope["path"].rstrip("/")
    if path.startswith(REFUSED_PATHS):
        return 404, "no notebooks here"
    reading = scope["method"] in READING and path == GRAPHQL
    if reading and "text/html" not in headers.get("accept", ""):
        return 405, "GraphQL takes POST with JSON only: a GET must change nothing"
    return None


DAGSTER = Site("rolesynth ui", POLICY, HEADERS, "application/json", _of_dagster)
"""The Dagster webserver's pages."""
