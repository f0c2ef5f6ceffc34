"""Review of problems: people say of a random sample whether the reference answer is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rolesynth_assets.browse.desk import REVIEWER, Desk
from rolesynth_assets.browse.pages.review import remembered
from rolesynth_assets.errors import InputError
from rolesynth_assets.review.labels import reviewer_name
from rolesynth_assets.review.measures import agreements, measure_filter
from rolesynth_assets.review.problem_labels import (
    KEY,
    Judgement,
    read_problem_labels,
    remove_problem_label,
    reviewed_candidates,
    write_problem_label,
)
from rolesynth_assets.review.sample import next_place, review_order
from rolesynth_assets.store.lance.rows import any_key

_SHOWN = (KEY, "question", "answer", "solution", "task_type", "round")


def review(desk: Desk, request: Request) -> Response:
    """The next problem of the sample, and what the answers so far say."""
    domains = sorted(desk.store.values("candidates", "domain"))
    if not domains:
        return desk.page(request, "problems.html", {"title": "Review", "any": False})
    asked = request.query_params
    domain = asked.get("domain") or domains[0]
    if domain not in domains:
        there = ", ".join(domains)
        raise HTTPException(404, f"No domain {domain[:60]!r} has problems; there are {there}.")
    name = asked.get("reviewer") or request.cookies.get(REVIEWER, "")
    reviewer = reviewer_name(name) if name.strip() else ""
    frame = reviewed_candidates(desk.store, domain)
    labels = read_problem_labels(desk.store, domain).drop("decision").join(frame, on=KEY)
    mine = labels.filter(labels["reviewer"] == reviewer)
    sizes = dict(frame.group_by("decision").len().iter_rows())
    last = mine.filter(mine[KEY] == asked.get("last", "")).to_dicts()
    shown = {
        "title": "Review",
        "domain": domain,
        "domains": domains,
        "reviewer": reviewer,
        "problem": _next(desk, frame, mine[KEY].to_list()) if reviewer else None,
        "last": last[0] if last else None,
        "measure": measure_filter(labels, sizes, KEY),
        "sizes": sizes,
        "unsolvable": int((labels["judgement"] == str(Judgement.UNSOLVABLE)).sum()),
        "agreements": agreements(labels, KEY, "judgement"),
        "mine": mine.height,
        "reviewers": labels["reviewer"].n_unique(),
    }
    return desk.page(request, "review_problems.html", shown)


def answer(desk: Desk, request: Request, form: Mapping[str, str]) -> Response:
    """Store an answer, or take the last one back, and show the next problem."""
    reviewer, candidate = reviewer_name(form.get("reviewer", "")), form.get(KEY, "")
    moved = {"domain": form.get("domain", ""), "reviewer": reviewer}
    said = form.get("answer", "")
    if said == "undo":
        remove_problem_label(desk.store, candidate, reviewer)
    elif said in [*Judgement]:
        write_problem_label(desk.store, candidate, reviewer, Judgement(said))
        moved["last"] = candidate
    else:
        raise InputError(f"An answer is one of {', '.join(Judgement)}.")
    return remembered(RedirectResponse(f"/review/problems?{urlencode(moved)}", 303), reviewer)


def _next(desk: Desk, frame: Any, answered: list[str]) -> dict[str, Any] | None:
    """Return the next problem without what the collective made of it; None at the end."""
    place = next_place(frame, review_order(frame, KEY), answered, KEY)
    if place is None:
        return None
    mine = any_key(KEY, [frame[KEY][place]])
    rows = desk.store.read("candidates", None, _SHOWN, mine).to_pylist()
    return rows[0] if rows else None
