"""Two role sets, recipes or checkpoints side by side on the same queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from rolesynth_assets.browse.compare.behind import captions_behind
from rolesynth_assets.browse.compare.outcomes import Ranked, compared, outcome, ranked, top_of
from rolesynth_assets.browse.compare.view import (
    CUTS,
    DIRECTIONS,
    OUTCOMES,
    PER_PAGE,
    CompareView,
    Side,
)
from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.browse.thumbnails import MEDIA_TYPE
from rolesynth_assets.clip.library import load_recipes

if TYPE_CHECKING:
    import polars as pl

SHORTLY = {"Cache-Control": "private, max-age=600"}
"""Headers of a benchmark's picture: its files may be replaced at any time."""


def compare(desk: Desk, request: Request) -> Response:
    """The queries that one side finds and the other does not, with the first ten of each."""
    known = ranked(desk.store)
    if not known.rows:
        return desk.page(request, "compare.html", {"title": "Compare", "any": False})
    view = _complete(CompareView.of(request.query_params), known)
    a, b = Side.of(view.a), Side.of(view.b)
    frame = compared(desk.store, view.benchmark, view.direction, a, b, view.at)
    chosen = _chosen(frame, view)
    pages = max(1, -(-chosen.height // PER_PAGE))
    view = replace(view, page=min(view.page, pages))
    recipes = load_recipes(desk.settings.recipes)
    shown: dict[str, Any] = {
        "title": "Compare",
        "any": True,
        "view": view,
        "a": a,
        "b": b,
        "known": known,
        "recipes": recipes,
        "outcome": outcome(frame),
        "queries": _queries(desk, view, chosen.slice((view.page - 1) * PER_PAGE, PER_PAGE)),
        "listed": chosen.height,
        "pages": pages,
        "outcomes": OUTCOMES,
        "directions": DIRECTIONS,
        "cuts": CUTS,
        "behind": {},
    }
    if view.place is not None and chosen.height:
        text = chosen["text"][0]
        shown["behind"] = {
            name: captions_behind(desk, recipes.get(side.recipe), text)
            for name, side in (("a", a), ("b", b))
        }
    return desk.page(request, "compare.html", shown)


def picture(desk: Desk, request: Request) -> Response:
    """The small picture of a benchmark's image."""
    benchmark, place = (request.path_params[name] for name in ("benchmark", "place"))
    small = desk.benchmark_pictures.get(benchmark, place)
    if small is None:
        raise HTTPException(404, f"{benchmark} has no image {place} that can be shown.")
    return Response(small, media_type=MEDIA_TYPE, headers=SHORTLY)


def _complete(view: CompareView, known: Ranked) -> CompareView:
    """Fill in what the address leaves out.

    Raises:
        HTTPException: with 404 if it names what has no rankings.
    """
    benchmark = _one_of(view.benchmark, known.benchmarks, "benchmark")
    direction = _one_of(view.direction, known.directions(benchmark), "direction")
    sides = [str(side) for side in known.sides(benchmark)]
    a = _one_of(view.a, sides if view.a else [s for s in sides if s != view.b] or sides, "side")
    others = [side for side in sides if side != a] or sides
    b = _one_of(view.b, sides if view.b else others[::-1], "side")
    return replace(view, benchmark=benchmark, direction=direction, a=a, b=b)


def _one_of(asked: str, known: list[str], what: str) -> str:
    if asked and asked not in known:
        there = f"there are {', '.join(known)}"
        raise HTTPException(404, f"No {what} {asked[:60]!r} has rankings; {there}.")
    return asked or known[0]


def _chosen(frame: pl.DataFrame, view: CompareView) -> pl.DataFrame:
    if view.place is not None:
        return frame.filter(frame["query"] == view.place)
    if view.show == "all":
        return frame
    wanted = [view.show] if view.show else ["won", "lost"]
    return frame.filter(frame["found"].is_in(wanted))


def _queries(desk: Desk, view: CompareView, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the queries of a page, each with the first candidates of both sides."""
    tops = {
        name: top_of(
            desk.store,
            view.benchmark,
            view.direction,
            Side.of(getattr(view, name)),
            dict(rows.select("query", f"seed_{name}").iter_rows()),
        )
        for name in ("a", "b")
    }
    return [
        row | {f"top_{name}": tops[name].get(row["query"], []) for name in ("a", "b")}
        for row in rows.iter_rows(named=True)
    ]
