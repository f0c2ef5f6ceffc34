"""An image is withdrawn during work: it is asked for no more, and nothing of it is kept."""

from __future__ import annotations

import base64
import io
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa

from rolesynth_assets.lineage.withdraw.withdrawal import withdraw
from rolesynth_assets.mllm.rows.reply_journal import journal_path
from rolesynth_assets.store.lance.rows import any_key
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.text_index import TextIndex
from rolesynth_assets.store.tombstones import Tombstone, now, write_tombstone
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
BUILDS = ("the first build", "a new build")
_BUILD = "a withdrawal during {} of the text index"
INDEX_PROMISE = "the build ends, and no file of the index holds a caption of it"
FAULTS = [
    *(_FAULT.format(stage, kind) for stage in STAGES for kind in KINDS),
    *(_SEED_FAULT.format(kind) for kind in KINDS),
    *map(_BUILD.format, BUILDS),
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
    return outcomes + _of_seeds(size) + _index_builds(images, targets)


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


def _index_builds(images: int, targets: tuple[int, ...]) -> list[Outcome]:
    held = dict.fromkeys(BUILDS, 0)
    for target in targets:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            _captioned(root, images)
            for build in BUILDS:  # the second one begins with the index of the first
                gone = (target + BUILDS.index(build)) % images
                held[build] += _left_no_caption(root, gone)
    return [
        Outcome(_BUILD.format(build), len(targets), count, INDEX_PROMISE)
        for build, count in held.items()
    ]


class _Slow(Store):
    """A store whose captions are read for as long as a withdrawal takes to remove its rows."""

    def __init__(self, root: Path, image: str) -> None:
        super().__init__(root)
        small = SmallTables(root)
        self._image = image
        self.withdrawal = Thread(target=withdraw, args=(Store(root), small, root, [image], "-"))

    def batches(self, *args: Any, **kwargs: Any) -> Iterator[pa.RecordBatch]:
        read = list(super().batches(*args, **kwargs))
        self.withdrawal.start()
        while Store(self.root).count("images", where=any_key("image_id", [self._image])):
            time.sleep(0.01)
        yield from read


def _left_no_caption(root: Path, target: int) -> bool:
    where = f"source = '{target}.png'"
    image = Store(root).read("images", None, ["image_id"], where)["image_id"][0].as_py()
    captions = Store(root).read("captions", PARTITION, ["text"], any_key("image_id", [image]))
    store, index = _Slow(root, image), TextIndex(root, _paid_work.ROLE_SET)
    facts = index.build(store)
    store.withdrawal.join()
    files = [
        path.read_bytes() for path in Path(str(index.folder.parent)).rglob("*") if path.is_file()
    ]
    texts = [text.encode() for text in captions["text"].to_pylist()]
    return (
        bool(texts)
        and facts.captions > 0
        and not index.holds([image])
        and not any(text in file for text in texts for file in files)
    )


def _captioned(root: Path, images: int) -> None:
    _paid_work.prepare(root, images, 1)
    with StubServer(_paid_work.answer, models=_paid_work.MODELS, api_key=KEY) as server:
        _paid_work.work("captions", root, server.url)


def _held(stage: Stage, root: Path, images: int, target: int, fails: bool) -> bool:
    if stage == "scores":
        _captioned(root, images)
    else:
        _paid_work.prepare(root, images, 1)
    store = Store(root)
    rows = store.read("images", {"shard": _paid_work.SHARD}, ["image_id", "source"]).to_pylist()
    gone = next(row["image_id"] for row in rows if row["source"] == f"{target}.png")
    withdrawn: list[str] = []

    def withdraw_at_once(request: StubRequest) -> Fault | None:
        if _shown(request) != target:
            return None
        if not withdrawn:
            withdrawn.append(gone)
            small = SmallTables(root)
            write_tombstone(small, Tombstone(gone, "asked to", now()))
        return Fault("status", 500) if fails else None

    with StubServer(
        _paid_work.answer, withdraw_at_once, models=_paid_work.MODELS, api_key=KEY
    ) as server:
        _paid_work.work(stage, root, server.url, max_retries=2)
        sent = [request for request in server.requests if _shown(request) == target]
    with sqlite3.connect(str(journal_path(root, stage))) as journal:
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
