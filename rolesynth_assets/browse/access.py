"""Who may ask the browse pages for what: their own pages alone, elsewhere with a token."""

from __future__ import annotations

from collections.abc import Mapping
from secrets import compare_digest
from urllib.parse import parse_qsl, urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rolesynth_assets.ui.guard import HEADERS, Site

FORM = "application/x-www-form-urlencoded"
LONGEST_FORM = 64 * 1024
"""Bytes of a form that are read at most."""
COOKIE = "rolesynth_browse"
SECRET = "secret"
"""Field of each form that writes; it holds the secret of the server's session."""
POLICY = "; ".join(
    [
        "default-src 'none'",
        "img-src 'self'",
        "style-src 'self'",
        "script-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)


BROWSE = Site(
    "rolesynth browse",
    POLICY,
    # with no-referrer a browser would send no origin with a form
    {**HEADERS, "Referrer-Policy": "same-origin"},
    FORM,
)
"""The pages of `rolesynth browse`, as the guard must know them."""


class TokenGate:
    """ASGI middleware that asks for a token: in the address once, then in a cookie.

    Args:
        app: the pages.
        token: the token; empty where none is needed.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request with the token on; refuse any other."""
        if scope["type"] != "http" or not self._token:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if _same(request.cookies.get(COOKIE, ""), self._token):
            await self._app(scope, receive, send)
        elif _same(request.query_params.get("token", ""), self._token):
            left = [(k, v) for k, v in request.query_params.multi_items() if k != "token"]
            moved = RedirectResponse(f"{request.url.path}?{urlencode(left)}".rstrip("?"), 303)
            moved.set_cookie(COOKIE, self._token, httponly=True, samesite="lax")
            await moved(scope, receive, send)
        else:
            said = "open the address that `rolesynth browse` printed, with its token\n"
            await PlainTextResponse(said, 403)(scope, receive, send)


async def read_form(request: Request, secret: str) -> Mapping[str, str]:
    """Read a form that writes.

    Args:
        request: a POST that has passed the guard.
        secret: secret of the server's session, which its own pages know.

    Raises:
        HTTPException: with 403 if the form does not come from a page of this session, with 413 if
            it is too long.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise HTTPException(413, f"a form may have {LONGEST_FORM:,} bytes")
    form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if not _same(form.get(SECRET, ""), secret):
        raise HTTPException(
            403, "This form is from a page that an earlier server showed: reload the page."
        )
    return form


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())
