"""A seed's image is withdrawn in the middle of a round of CADS, for the drill `withdrawals`."""

from __future__ import annotations

import io
import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.seeds.rows import seed_rows
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.mllm.rows.reply_journal import journal_path
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone
from rolesynth_assets_tests.cads import simulated
from rolesynth_assets_tests.defs.served_collective import KEY, SKILLS
from rolesynth_assets_tests.drills import _paid_work
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer

STEPS = ("judge", "visual", "analyse", "reflect")
"""Steps at whose first request about the seed its image is withdrawn."""
IN_FLIGHT = len(SKILLS)
"""Calls in flight at most: one of each member."""


@dataclass
class _Round:
    """What a server sees of a seed, and the withdrawal at the first request of a step about it."""

    root: Path
    seed: Seed
    step: str
    fails: bool
    texts: set[str] = field(default_factory=set)
    withdrawn_at: int | None = None

    def __post_init__(self) -> None:
        self.texts.add(self.seed.problem)

    def answer(self, request: StubRequest) -> str:
        said = _paid_work.answer(request)
        if self.about(request) and _step(request) == "write":
            self.texts.add(json.loads(said)["new_question_text"])
        return said

    def about(self, request: StubRequest) -> bool:
        return any(text in request.text for text in self.texts)

    def withdraw(self, request: StubRequest) -> Fault | None:
        if not self.about(request):
            return None
        if self.withdrawn_at is None and _step(request) == self.step:
            self.withdrawn_at = request.ordinal
            stone = Tombstone(image_id(self.seed.images[0]), "asked to", now())
            write_tombstone(SmallTables(self.root), stone)
        gone = self.withdrawn_at is not None
        return Fault("status", 500) if gone and self.fails else None


def held(root: Path, step: str, fails: bool) -> bool:
    """Return whether the promise held for a seed that is withdrawn at a step.

    Args:
        root: an empty folder.
        step: one of `STEPS`.
        fails: whether the requests in flight get an error, and not an answer.
    """
    seeds = [Seed(**{**vars(s), "images": (_png(n),)}) for n, s in enumerate(_seeds())]
    store = Store(root)
    store.append("seeds", {"domain": _paid_work.DOMAIN}, seed_rows(seeds))
    of = _Round(root, seeds[0], step, fails)
    with StubServer(of.answer, of.withdraw, models=_paid_work.MODELS, api_key=KEY) as server:
        _paid_work.work("cads", root, server.url, max_retries=2, concurrency=1)
        sent = list(server.requests)
    ours = [request for request in sent if of.about(request)]
    at = of.withdrawn_at
    late = [request for request in ours if at is not None and request.ordinal >= at]
    rows = store.read("candidates", None, ["seed_id"])["seed_id"].to_pylist()
    rows += store.read("contexts", None, ["seed_id"])["seed_id"].to_pylist()
    purged = _purged(Path(str(journal_path(root, "cads"))), image_id(seeds[0].images[0]))
    return (
        1 <= len(late) <= IN_FLIGHT
        and not any(request.attempt for request in ours)
        and set(rows) == {seed.seed_id for seed in seeds[1:]}
        and purged == len(sent) - len(ours)
    )


def _purged(journal: Path, image: str) -> int:
    """Return the replies that a journal has after an image is purged from it."""
    with Journal(journal) as kept:
        kept.forget_images([image])
    with sqlite3.connect(journal) as database:
        return database.execute("SELECT count(*) FROM replies").fetchone()[0]


def _step(request: StubRequest) -> str:
    return simulated.step_of(simulated.asked_over_the_wire(request))


def _seeds() -> list[Seed]:
    return simulated.seeds(2, _paid_work.DOMAIN)


def _png(number: int) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (32, 32), (number, 0, 9)).save(stream, "PNG")
    return stream.getvalue()
