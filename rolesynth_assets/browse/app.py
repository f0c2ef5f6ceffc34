"""The pages of `rolesynth browse` as one application behind its guard."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from rolesynth_assets.browse.access import BROWSE, TokenGate, read_form
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.browse.pages import (
    compare,
    exclusions,
    images,
    problems,
    review,
    review_problems,
    state,
    trace,
    withdraw,
)
from rolesynth_assets.errors import InputError
from rolesynth_assets.ui.guard import Guard

STATIC = Path(__file__).parent / "static"
Page = Callable[[Desk, Request], Response]
Form = Callable[[Desk, Request, Mapping[str, str]], Response]
_log = logging.getLogger(__name__)

PAGES: dict[str, Page] = {
    "/": images.to_images,
    "/images": images.images,
    "/images/{image}": images.image,
    "/thumbnails/{image}": images.thumbnail,
    "/pictures/{image}": images.picture,
    "/compare": compare.compare,
    "/benchmark-pictures/{benchmark}/{place:int}": compare.picture,
    "/problems": problems.problems,
    "/drawings/{candidate}": problems.drawing,
    "/review": review.review,
    "/review/problems": review_problems.review,
    "/trace": trace.follow,
    "/state": state.state,
    "/state/make": state.plan,
    "/withdraw/{image}": withdraw.ask,
}
"""What is read, by path."""
FORMS: dict[str, Form] = {
    "/review": review.answer,
    "/review/problems": review_problems.answer,
    "/exclusions": exclusions.exclude,
    "/state/make": state.make,
    "/withdrawals": withdraw.withdraw,
}
"""What is written, by path."""


def guarded_app(desk: Desk, origins: Iterable[str], token: str = "") -> ASGIApp:
    """Return the pages behind the guard.

    Args:
        desk: what the pages work with.
        origins: addresses under which the pages are opened.
        token: what a browser must show; empty on the loopback.
    """
    return Guard(TokenGate(browse_app(desk), token), origins, BROWSE)


def browse_app(desk: Desk) -> Starlette:
    """Return the pages without a guard."""
    routes: list[Route | Mount] = [
        Route(path, _reading(desk, page), methods=["GET"]) for path, page in PAGES.items()
    ]
    routes += [Route(path, _writing(desk, form), methods=["POST"]) for path, form in FORMS.items()]
    static = Mount("/static", StaticFiles(directory=STATIC))
    return Starlette(
        routes=[*routes, static],
        exception_handlers={
            HTTPException: _failed(desk),
            InputError: _failed(desk),
            Exception: _failed(desk),
        },
    )


def _reading(desk: Desk, page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(page, desk, request)

    return answer


def _writing(desk: Desk, form: Form) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        given = await read_form(request, desk.secret)
        return await run_in_threadpool(form, desk, request, given)

    return answer


def _failed(desk: Desk) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        """Say in words what went wrong."""
        if isinstance(error, HTTPException):
            status, said = error.status_code, error.detail
        elif isinstance(error, InputError):
            status, said = 400, str(error)
        else:
            _log.error("%s failed", request.url.path, exc_info=error)
            status, said = 500, f"{type(error).__name__}: {error}"
        return desk.page(request, "error.html", {"title": "Error", "said": said}, status)

    return answer
