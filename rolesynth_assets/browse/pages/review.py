"""Review: people say of a random sample of captions whether they are true and fit their role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rolesynth_assets.browse.captions.cards import shown_captions
from rolesynth_assets.browse.captions.columns import CaptionColumns
from rolesynth_assets.browse.desk import REVIEWER, Desk
from rolesynth_assets.browse.pages.images import chosen_role_set
from rolesynth_assets.errors import InputError
from rolesynth_assets.review.labels import (
    Subject,
    Truth,
    read_labels,
    remove_label,
    reviewer_name,
    write_label,
)
from rolesynth_assets.review.measures import agreements, measure_filter
from rolesynth_assets.review.sample import next_place, review_order
from rolesynth_assets.store.lance.rows import any_key

if TYPE_CHECKING:
    import polars as pl

ANSWERS: dict[str, tuple[Truth, bool | None]] = {
    "true": (Truth.TRUE, True),
    "unfit": (Truth.TRUE, False),
    "false": (Truth.FALSE, None),
    "unsure": (Truth.UNSURE, None),
}
"""What each button says of truth and role."""


def review(desk: Desk, request: Request) -> Response:
    """The next caption of the sample, and what the answers so far say."""
    known = desk.captions.role_sets()
    if not known:
        return desk.page(request, "nothing.html", {"title": "Review"})
    asked = request.query_params
    role_set = chosen_role_set(known, asked.get("role_set", ""))
    name = asked.get("reviewer") or request.cookies.get(REVIEWER, "")
    reviewer = reviewer_name(name) if name.strip() else ""
    columns = desk.captions.columns(role_set)
    labels = with_decisions(read_labels(desk.store, role_set), columns)
    sizes = dict(columns.frame.group_by("decision").len().iter_rows())
    last = labels.filter(
        (labels["caption_id"] == asked.get("last", "")) & (labels["reviewer"] == reviewer)
    ).to_dicts()
    shown = {
        "title": "Review",
        "role_set": role_set,
        "role_sets": known,
        "reviewer": reviewer,
        "caption": _next(desk, columns, labels, reviewer) if reviewer else None,
        "last": last[0] if last else None,
        "measure": measure_filter(labels, sizes),
        "sizes": sizes,
        "agreements": agreements(labels),
        "mine": labels.filter(labels["reviewer"] == reviewer).height,
        "reviewers": labels["reviewer"].n_unique(),
    }
    return desk.page(request, "review.html", shown)


def answer(desk: Desk, request: Request, form: Mapping[str, str]) -> Response:
    """Store an answer, or take the last one back, and show the next caption."""
    reviewer, role_set = reviewer_name(form.get("reviewer", "")), form.get("role_set", "")
    caption_id = form.get("caption_id", "")
    moved = {"role_set": role_set, "reviewer": reviewer}
    if form.get("answer") == "undo":
        remove_label(desk.store, caption_id, reviewer)
        return _onward(moved)
    if form.get("answer") not in ANSWERS:
        raise InputError(f"An answer is one of {', '.join(ANSWERS)}.")
    columns = desk.captions.columns(role_set)
    rows = columns.frame.filter(columns.frame["caption_id"] == caption_id)
    if rows.is_empty():
        raise InputError("This caption is no longer stored. Open the review again for the next.")
    row = rows.row(0, named=True)
    subject = Subject(caption_id, row["image_id"], row["shard"], role_set, row["decision"])
    write_label(desk.store, subject, reviewer, *ANSWERS[form["answer"]])
    return _onward(moved | {"last": caption_id})


def _onward(query: Mapping[str, str]) -> Response:
    """Lead to the next caption."""
    return remembered(RedirectResponse(f"/review?{urlencode(query)}", 303), query["reviewer"])


def remembered(moved: Response, reviewer: str) -> Response:
    """Let the browser keep the name of a reviewer who has answered with a page's form."""
    moved.set_cookie(REVIEWER, _plain(reviewer), httponly=True, samesite="strict")
    return moved


def with_decisions(labels: pl.DataFrame, columns: CaptionColumns) -> pl.DataFrame:
    """Return answers with the present decision on their caption; others are of no use."""
    import polars as pl

    now = columns.frame.select("shard", "caption_id", "decision").with_columns(
        pl.col("shard", "decision").cast(pl.String)
    )
    return labels.drop("decision").join(now, on=["shard", "caption_id"], how="inner")


def _next(
    desk: Desk, columns: CaptionColumns, labels: pl.DataFrame, reviewer: str
) -> dict[str, Any] | None:
    """Return the next caption with the words of its role; None if all are answered."""
    held = desk.review_orders.get(columns.role_set)
    if held is None or held[0] is not columns:
        held = desk.review_orders[columns.role_set] = columns, review_order(columns.frame)
    mine = labels.filter(labels["reviewer"] == reviewer)["caption_id"].to_list()
    place = next_place(columns.frame, held[1], mine)
    if place is None:
        return None
    caption = next(iter(shown_captions(columns, columns.frame.slice(place, 1))))
    key = caption.role_fingerprint
    roles = desk.store.read("roles", None, ["responsibilities"], any_key("role_fingerprint", [key]))
    words = roles["responsibilities"].to_pylist()
    return {"of": caption, "role": words[0] if words else ""}


def _plain(name: str) -> str:
    """Return a name as a cookie may hold it; another one is asked for again."""
    return name if name.isascii() and not set(name) & set('",;\\') else ""
