"""Excluding a caption by hand, and taking that back."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.review.exclusions import decide


def exclude(desk: Desk, request: Request, form: Mapping[str, str]) -> Response:
    """Exclude a caption in all partitions that hold it, and go back to where it was shown."""
    try:
        decide(
            desk.store,
            form.get("caption_id", ""),
            excluded=form.get("excluded") == "yes",
            reviewer=form.get("reviewer", ""),
            note=form.get("note", ""),
        )
    except KeyError as error:
        raise HTTPException(404, str(error.args[0])) from error
    return RedirectResponse(back_to(form.get("back", "")), 303)


def back_to(path: str) -> str:
    """Return a path of this server; anything else leads to the images."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours else "/images"
