"""An image is withdrawn while captions, scores or problems are made: it is asked for no more."""

from __future__ import annotations

import base64
import io
import sqlite3
import tempfile
from pathlib import Path

from rolesynth_assets.mllm.rows.reply_journal import journal_path
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone
from rolesynth_assets.store.warehouse.warehouse import Warehouse
from rolesynth_assets_tests.defs.served_collective import KEY
from rolesynth_assets_tests.drills import _paid_work, _seed_withdrawals
from rolesynth_assets_tests.drills._paid_work import CONCURRENCY, PARTITION, Stage
from rolesynth_assets_tests.drills.outcome import Outcome, Size
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer

STAGES: tuple[Stage, ...] = ("captions", "scores")
IMAGES: dict[Size, int] = {"small": 4, "long": 20}
PROMISE = (
    f"at most the {CONCURRENCY} calls in flight show it, none is sent again, and no row, score or "
    "reply of it is kept"
)


KINDS = ("an error", "an answer")
_FAULT = "a withdrawal during {}, whose request gets {}"
_SEED_FAULT = "a withdrawal of a seed's image during a round of CADS, whose request gets {}"
SEED_PROMISE = (
    f"at most the {_seed_withdrawals.IN_FLIGHT} calls in flight are about the seed, none is sent "
    "again, no row of it is kept, and `--purge` finds each reply about it"
)
FAULTS = [_FAULT.format(stage, kind) for stage in STAGES for kind in KINDS] + [
    _SEED_FAULT.format(kind) for kind in KINDS
]


def run(size: Size) -> list[Outcome]:
    """Withdraw one image of each stage at the first request that shows it, and one of a seed."""
    outcomes = []
    images = IMAGES[size]
    targets = (images // 2,) if size == "small" else (0, 1, images // 2, images - 1)
    for stage in STAGES:
        held = dict.fromkeys(KINDS, 0)
        for target in targets:
            for kind in held:
                with tempfile.TemporaryDirectory() as folder:
                    held[kind] += _held(stage, Path(folder), images, target, kind == KINDS[0])
        outcomes += [
            Outcome(
                _FAULT.format(stage, kind),
                len(targets),
                count,
                PROMISE,
            )
            for kind, count in held.items()
        ]
    return outcomes + _of_seeds(size)


def _of_seeds(size: Size) -> list[Outcome]:
    steps = _seed_withdrawals.STEPS[:1] if size == "small" else _seed_withdrawals.STEPS
    held = dict.fromkeys(KINDS, 0)
    for kind in held:
        for step in steps:
            with tempfile.TemporaryDirectory() as folder:
                held[kind] += _seed_withdrawals.held(Path(folder), step, kind == KINDS[0])
    return [
        Outcome(_SEED_FAULT.format(kind), len(steps), count, SEED_PROMISE)
        for kind, count in held.items()
    ]


def _held(stage: Stage, root: Path, images: int, target: int, fails: bool) -> bool:
    _paid_work.prepare(root, images, 1)
    if stage == "scores":
        with StubServer(_paid_work.answer, models=_paid_work.MODELS, api_key=KEY) as server:
            _paid_work.work("captions", root, server.url)
    store = Store(root)
    rows = store.read("images", {"shard": _paid_work.SHARD}, ["image_id", "source"]).to_pylist()
    gone = next(row["image_id"] for row in rows if row["source"] == f"{target}.png")
    withdrawn: list[str] = []

    def withdraw(request: StubRequest) -> Fault | None:
        if _shown(request) != target:
            return None
        if not withdrawn:
            withdrawn.append(gone)
            warehouse = Warehouse(root / "warehouse.duckdb")
            write_tombstone(warehouse, Tombstone(gone, "asked to", now()))
        return Fault("status", 500) if fails else None

    with StubServer(_paid_work.answer, withdraw, models=_paid_work.MODELS, api_key=KEY) as server:
        _paid_work.work(stage, root, server.url, max_retries=2)
        sent = [request for request in server.requests if _shown(request) == target]
    with sqlite3.connect(journal_path(root, stage)) as journal:
        replies = journal.execute("SELECT count(*) FROM shown WHERE image_id = ?", (gone,))
        kept = replies.fetchone()[0]
    made = store.read(stage, PARTITION, ["image_id"])["image_id"].to_pylist()
    return (
        1 <= len(sent) <= CONCURRENCY
        and not any(request.attempt for request in sent)
        and kept == 0
        and gone not in made
        and len(set(made)) == images - 1
    )


def _shown(request: StubRequest) -> int | None:
    """Return the number of the image that a request shows, by its colour."""
    from PIL import Image

    content = request.payload["messages"][-1]["content"]
    if isinstance(content, str):
        return None
    data = base64.b64decode(content[0]["image_url"]["url"].partition(",")[2])
    pixel = Image.open(io.BytesIO(data)).convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return int(pixel[0]) + 256 * int(pixel[1])
