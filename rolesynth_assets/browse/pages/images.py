"""The grid of images with their captions, one image's page, and the pictures themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rolesynth_assets.browse.captions.cards import Card, cards, image_facts
from rolesynth_assets.browse.captions.columns import CaptionColumns
from rolesynth_assets.browse.captions.search import hits_of, search_state
from rolesynth_assets.browse.captions.select import select
from rolesynth_assets.browse.captions.view import ORDERS, WAYS, Order, View
from rolesynth_assets.browse.desk import KEEP, REVIEWER, Desk
from rolesynth_assets.browse.thumbnails import MEDIA_TYPE, stored_picture
from rolesynth_assets.lineage.trace.sources import short
from rolesynth_assets.review.exclusions import exclusions_of

if TYPE_CHECKING:
    import polars as pl

_ID = re.compile(r"[0-9a-f]{64}")


def images(desk: Desk, request: Request) -> Response:
    """The grid: filters, order and page are in the address."""
    view = View.of(request.query_params)
    known = desk.captions.role_sets()
    if not known:
        return desk.page(request, "nothing.html", {"title": "Images"})
    view = replace(view, role_set=chosen_role_set(known, view.role_set))
    columns = desk.captions.columns(view.role_set)
    state = search_state(desk.root, view, columns)
    hits = hits_of(desk.root, view) if state.ready else None
    asked = view if state.ready else replace(view, q="", like="")
    near = cuts(desk, view.role_set) if asked.order is Order.NEAR_CUT else ()
    chosen = select(columns.frame, asked, hits, near)
    return desk.page(
        request,
        "images.html",
        {
            "title": "Images",
            "view": view,
            "role_sets": known,
            "filters": columns.values,
            "orders": {
                o: words for o, words in ORDERS.items() if view.asks or o != Order.BEST_MATCH
            },
            "ways": WAYS,
            "search": state,
            "capped": hits is not None and hits.height >= state.most,
            "chosen": chosen,
            "cards": cards(desk.store, columns, chosen.rows),
        },
    )


def image(desk: Desk, request: Request) -> Response:
    """One image with all captions of every role set."""
    key = _image_id(request)
    known = desk.captions.role_sets()
    shown = {name: card for name in known if (card := _card(desk, name, key))}
    facts = image_facts(desk.store, [key]).get(key)
    if facts is None and not shown:
        raise HTTPException(404, f"No image {short(key)} is stored. It may have been withdrawn.")
    captions = [caption.caption_id for card in shown.values() for caption in card.captions]
    about = {
        "title": "Image",
        "image": key,
        "facts": facts,
        "cards": shown,
        "excluded": exclusions_of(desk.store, captions),
        "reviewer": request.cookies.get(REVIEWER, ""),
    }
    return desk.page(request, "image.html", about)


def thumbnail(desk: Desk, request: Request) -> Response:
    """The small picture of an image."""
    made = desk.thumbnails.get(_image_id(request))
    if made is None:
        raise HTTPException(404, "This image is not stored.")
    return Response(made, media_type=MEDIA_TYPE, headers=KEEP)


def picture(desk: Desk, request: Request) -> Response:
    """An image as it is stored."""
    found = stored_picture(desk.store, _image_id(request))
    if found is None:
        raise HTTPException(404, "This image is not stored.")
    return Response(found[1], media_type=found[0], headers=KEEP)


def chosen_role_set(known: Sequence[str], asked: str) -> str:
    """Return the role set that a page asks for, the first one by default.

    Raises:
        HTTPException: with 404 if it has no captions.
    """
    if asked and asked not in known:
        raise HTTPException(
            404, f"No role set {asked!r} has captions; there are {', '.join(known)}."
        )
    return asked or known[0]


def to_images(desk: Desk, request: Request) -> Response:
    """The first page leads to the grid."""
    return RedirectResponse("/images", 303)


def cuts(desk: Desk, role_set: str) -> list[tuple[str, int]]:
    """Return the lowest kept score of a role set by length kind; none if images have their own."""
    rows = desk.small.read("cutoffs", {"role_set": role_set}).to_dicts()
    same = [row for row in rows if row["cutoff"] is not None and not row["centred"]]
    return [(row["length"], row["cutoff"]) for row in same]


def _card(desk: Desk, role_set: str, key: str) -> Card | None:
    columns: CaptionColumns = desk.captions.columns(role_set)
    rows: pl.DataFrame = columns.frame.filter(columns.frame["image_id"] == key)
    found = cards(desk.store, columns, rows.sort("role", "length"))
    return found[0] if found else None


def _image_id(request: Request) -> str:
    key = request.path_params["image"]
    if not _ID.fullmatch(key):
        raise HTTPException(404, "The id of an image has 64 hex digits.")
    return key
