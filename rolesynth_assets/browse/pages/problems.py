"""The problems that the collective wrote, with every judge's answer."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from rolesynth_assets.browse.desk import KEEP, Desk
from rolesynth_assets.browse.problem_cards import (
    FILTERS,
    FINDINGS,
    ProblemView,
    candidate_picture,
    listed_candidates,
    problem_page,
    word_diff,
)
from rolesynth_assets.images.decoding.formats import HEAD_BYTES, MEDIA_TYPES, sniff


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
    kind = MEDIA_TYPES.get(sniff((found or b"")[:HEAD_BYTES]) or "")
    if not found or not kind:
        raise HTTPException(404, "This candidate has no picture.")
    return Response(found, media_type=kind, headers=KEEP)
