"""The problems that the collective wrote, with every judge's answer."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.browse.problem_cards import (
    FILTERS,
    FINDINGS,
    ProblemView,
    candidate_picture,
    listed_candidates,
    problem_page,
    word_diff,
)

_MEDIA_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


def problems(desk: Desk, request: Request) -> Response:
    """Candidates of all rounds: filters and page are in the address."""
    view = ProblemView.of(request.query_params)
    frame = listed_candidates(desk.store)
    return desk.page(
        request,
        "problems.html",
        {
            "title": "Problems",
            "view": view,
            "any": not frame.is_empty(),
            "filters": {n: frame[n].drop_nulls().unique().sort().to_list() for n in FILTERS},
            "chosen": problem_page(desk.store, frame, view),
            "findings": FINDINGS,
            "word_diff": word_diff,
        },
    )


def drawing(desk: Desk, request: Request) -> Response:
    """The picture that was drawn for a candidate."""
    key = request.path_params["candidate"]
    found = candidate_picture(desk.store, key) if key.isalnum() else None
    kind = next((k for magic, k in _MEDIA_TYPES.items() if (found or b"").startswith(magic)), "")
    if not found or not kind:
        raise HTTPException(404, "This candidate has no picture.")
    return Response(found, media_type=kind, headers={"Cache-Control": "private, max-age=86400"})
