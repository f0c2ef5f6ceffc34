"""Withdrawing an image: first what goes, then a reason, then what it made stale."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from rolesynth_assets.browse.desk import Desk
from rolesynth_assets.browse.withdrawals import record, take_out
from rolesynth_assets.errors import InputError
from rolesynth_assets.lineage.withdraw.artefacts import ArtefactKind
from rolesynth_assets.lineage.withdraw.withdrawal import Withdrawal

LONGEST_REASON = 500
"""Characters of a reason; more is cut."""
_ID = re.compile(r"[0-9a-f]{64}")
_NO_REASON_YET = "shown before the question"


def ask(desk: Desk, request: Request) -> Response:
    """Show what a withdrawal would remove, and ask for a reason; nothing is changed."""
    image = _whole_id(request.path_params["image"])
    found = take_out(desk.settings, desk.store, desk.small, [image], _NO_REASON_YET, dry_run=True)
    return _page(desk, request, image, found, done=False)


def withdraw(desk: Desk, request: Request, form: Mapping[str, str]) -> Response:
    """Withdraw the image for the reason given, and show what that removed and made stale."""
    image = _whole_id(form.get("image", ""))
    reason = " ".join(form.get("reason", "").split())[:LONGEST_REASON]
    if not reason:
        raise InputError("A withdrawal needs a reason; nothing was changed.")
    desk.prepare()
    done = take_out(desk.settings, desk.store, desk.small, [image], reason, dry_run=False)
    recorded, stale = record(done, desk.store)
    return _page(desk, request, image, done, done=True, recorded=recorded, stale=stale)


def _page(desk: Desk, request: Request, image: str, found: Withdrawal, **more: Any) -> Response:
    held = {str(kind): found.named(kind) for kind in ArtefactKind if kind is not ArtefactKind.TABLE}
    shown = {
        "title": "Withdraw",
        "image": image,
        "removed": dict(found.removed),
        "held": {kind: names for kind, names in held.items() if names},
        "sources": sorted({s for stone in found.tombstones for s in stone.sources}),
        "recorded": [],
        "stale": [],
    }
    return desk.page(request, "withdraw.html", shown | more)


def _whole_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise HTTPException(404, "The id of an image has 64 hex digits.")
    return text
