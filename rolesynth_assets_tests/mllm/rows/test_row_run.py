import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest

from rolesynth_assets.captions.captioning import write_captions
from rolesynth_assets.captions.captioning_run import caption_rows
from rolesynth_assets.captions.report import CaptionReport
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason
from rolesynth_assets.mllm.rows.reply_journal import JournalError, ReplyJournal, journal_path
from rolesynth_assets.mllm.rows.row_run import RowRun
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets.store.tombstones import Tombstone, Withdrawn, now, write_tombstone
from rolesynth_assets_tests.captions.fake_engine import FakeEngine
from rolesynth_assets_tests.captions.image_rows import store_images

HERE = {"shard": "s1", "role_set": "set"}
ROLES = [
    Role(
        name=name,
        responsibilities="Look.",
        templates=PromptTemplates(
            long="{name} {responsibilities} Long.", short="{name} {responsibilities} Short."
        ),
        system="Write.",
    )
    for name in ("One", "Two")
]


def write(store: Store, engine: FakeEngine, shard: str = "s1", **options) -> CaptionReport:
    work = write_captions(store, engine, shard, "set", ROLES, run_id="run", **options)
    return asyncio.run(work)


def withdraw(store: Store, image: str) -> None:
    small = SmallTables(store.root)
    write_tombstone(small, Tombstone(image, "asked to", now()))
    for table in ("captions", "images"):
        store.remove(table, f"image_id = '{image}'")


class Interrupting(FakeEngine):
    """Does something after so many replies."""

    def __init__(self, after: int, what: Callable[[], None]) -> None:
        super().__init__(look_ahead=1)
        self.after, self.what = after, what

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        count = 0
        async for reply in super().complete(requests):
            yield reply
            count += 1
            if count == self.after:
                self.what()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


def journaled(store: Store) -> list[tuple[str, str]]:
    with sqlite3.connect(str(journal_path(store.root, "captions"))) as database:
        return database.execute(
            "SELECT image_id, key FROM shown JOIN replies USING (key)"
        ).fetchall()


def test_every_reply_is_on_disk_before_the_next_request_and_leaves_once_stored(
    store: Store,
) -> None:
    images = store_images(store, "s1", range(2))
    seen: list[int] = []
    engine = FakeEngine(look_ahead=2)
    answer = engine.write
    engine.write = lambda request: seen.append(len(journaled(store))) or answer(request)
    write(store, engine)
    # two are asked at once, and answered one after the other
    assert seen == list(range(8))
    assert len(images) == 2 and journaled(store) == []


def test_replies_of_a_run_that_died_become_rows_without_a_call(store: Store) -> None:
    store_images(store, "s1", range(3))
    store_images(store, "s2", range(5, 7))

    def die() -> None:
        raise MemoryError

    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(RowRun, "_store_pending", lambda self, journal: journal.flush())
        with pytest.raises(MemoryError):
            write(store, Interrupting(5, die))
    assert len(journaled(store)) == 5 and not store.count("captions")
    other = write(store, FakeEngine(), "s2")  # another partition takes nothing of it
    assert (other.calls, other.recovered) == (8, 0)
    report = write(store, FakeEngine())
    assert (report.calls, report.recovered, report.captions) == (7, 5, 12)
    assert journaled(store) == []


def test_replies_that_nobody_wants_any_more_leave_the_journal(store: Store) -> None:
    store_images(store, "s1", range(1))
    write(store, FakeEngine())

    async def again(journal: ReplyJournal) -> None:
        run = RowRun(store, FakeEngine(), HERE, caption_rows(HERE, FakeEngine().identity, "r"), 9)
        await journal.put(f"{run._place}/nobody's", ChatReply("k", "text", None), ["image"])

    with ReplyJournal(journal_path(store.root, "captions")) as journal:
        asyncio.run(again(journal))
    assert len(journaled(store)) == 1
    assert write(store, FakeEngine()).recovered == 0
    assert journaled(store) == []


def test_image_withdrawn_during_a_run_is_neither_asked_for_nor_written(store: Store) -> None:
    images = store_images(store, "s1", range(4))
    engine = Interrupting(5, lambda: withdraw(store, images[1]))  # it was asked for once
    report = write(store, engine)
    rows = store.read("captions", HERE, ["image_id"])["image_id"].to_pylist()
    assert set(rows) == set(images) - {images[1]}
    assert (engine.calls, len(rows), report.wanted) == (4 + 1 + 8, 12, 12)
    assert journaled(store) == []


def test_tombstone_that_comes_at_the_moment_of_writing_takes_the_rows_along(store: Store) -> None:
    images = store_images(store, "s1", range(2))
    append = store.append

    def late(table, partition, rows) -> None:
        if table == "captions" and rows.num_rows:
            withdraw(store, images[0])
        append(table, partition, rows)

    store.append = late
    write(store, FakeEngine())
    assert set(store.read("captions", HERE, ["image_id"])["image_id"].to_pylist()) == {images[1]}


def test_withdrawn_follows_the_file_and_reads_it_once(store: Store, monkeypatch) -> None:
    small = SmallTables(store.root)
    withdrawn = Withdrawn(small)
    assert "a" not in withdrawn and len(withdrawn) == 0
    write_tombstone(small, Tombstone("a", "asked to", "2026-01-02T00:00:00+00:00"))
    assert withdrawn["a"] == "withdrawn on 2026-01-02: asked to"
    monkeypatch.setattr("rolesynth_assets.store.tombstones.CLOCK_NS", 0)
    assert list(withdrawn) == ["a"]
    monkeypatch.setattr(small, "read", lambda *_: pytest.fail("read again"))
    assert "b" not in withdrawn and "a" in withdrawn


def test_journal_that_cannot_be_written_stops_the_run_and_keeps_the_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_images(store, "s1", range(3))

    def full(self, statements) -> None:
        raise JournalError("no room")

    engine = FakeEngine(look_ahead=1)
    monkeypatch.setattr(ReplyJournal, "_transaction", full)
    with pytest.raises(JournalError, match="no room"):
        write(store, engine)
    monkeypatch.undo()
    assert engine.calls < 12 and store.count("captions", HERE) >= engine.calls - 1
    assert write(store, FakeEngine()).captions == 12


class Retrying(FakeEngine):
    """Sends each request twice, unless it is no longer wanted; something happens in between."""

    def __init__(self, what: Callable[[ChatRequest], None]) -> None:
        super().__init__(look_ahead=1)
        self.what, self.sent = what, Counter[str]()

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        for request in requests:
            for _ in range(2):
                if not request.wanted():
                    yield ChatReply(request.key, None, FailureReason.REJECTED, "not sent")
                    break
                self.sent[request.key] += 1
                self.what(request)
            else:
                yield ChatReply(request.key, "A red square lies on a wide grey table.", None)


def test_a_request_of_a_withdrawn_image_is_not_sent_again(store: Store) -> None:
    [first, _] = store_images(store, "s1", range(2))
    gone: list[str] = []

    def withdraw_once(request: ChatRequest) -> None:
        if not gone:
            withdraw(store, first)
            gone.append(request.key)

    engine = Retrying(withdraw_once)
    report = write(store, engine)
    assert engine.sent.pop(gone[0]) == 1
    assert list(engine.sent.values()) == [2] * 4  # those of the other image
    assert report.wanted == 4
    assert first not in store.read("captions", HERE)["image_id"].to_pylist()


def test_a_reply_about_an_image_withdrawn_meanwhile_is_written_nowhere(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first, _] = store_images(store, "s1", range(2))
    recorded: list[str] = []
    record = ReplyJournal.record

    def spy(self: ReplyJournal, key: str, reply: ChatReply, shown: Iterable[str] = ()):
        recorded.extend(shown)
        return record(self, key, reply, shown)

    monkeypatch.setattr(ReplyJournal, "record", spy)
    engine = Retrying(lambda request: None)
    answered = engine.complete

    async def complete(requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        async for reply in answered(requests):
            if first not in Withdrawn(SmallTables(store.root)):
                withdraw(store, first)  # after the last attempt, before the reply arrives
            yield reply

    engine.complete = complete
    report = write(store, engine)
    assert first not in recorded and len(recorded) == 4
    assert report.calls == 5  # the paid one counts
    assert first not in store.read("captions", HERE)["image_id"].to_pylist()
