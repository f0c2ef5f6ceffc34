import asyncio
import os
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.drawing.renderer import Drawing
from rolesynth_assets.cads.round.calls.journal import Journal, drawing_key
from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling, Turn
from rolesynth_assets.mllm.rows import journal_uploads
from rolesynth_assets.mllm.rows.reply_journal import (
    JournalError,
    ReplyJournal,
    journal_path,
    request_key,
)

REQUEST = ChatRequest(
    key="k",
    system="system",
    prompt="prompt",
    sampling=Sampling(1.0, 1.0, 64),
    seed=7,
    images=(b"one", b"two"),
    history=(Turn("user", "before"),),
    json_mode=True,
)
OTHER = {
    "system": "systems",
    "prompt": "prompts",
    "sampling": Sampling(1.0, 0.9, 64),
    "seed": 8,
    "images": (b"two", b"one"),
    "history": (Turn("assistant", "before"),),
    "json_mode": False,
}


@pytest.fixture(params=["folder", "bucket"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> DataPath:
    """Where a journal is: a file, or a prefix."""
    root = tmp_path if request.param == "folder" else request.getfixturevalue("bucket_root")
    return journal_path(str(root), "cads")


@pytest.fixture
def journal(path: DataPath) -> Iterator[Journal]:
    with Journal(path) as opened:
        yield opened


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as opened:
        yield opened


@pytest.fixture
def bucket_path(bucket_root: str) -> ObjectPath:
    path = journal_path(bucket_root, "cads")
    assert isinstance(path, ObjectPath)
    return path


def do(*work: Coroutine[object, object, None]) -> None:
    async def together() -> None:
        await asyncio.gather(*work)

    asyncio.run(together())


@pytest.mark.parametrize("field", OTHER)
def test_key_changes_with_all_that_the_answer_depends_on(field: str):
    assert request_key("m", replace(REQUEST, **{field: OTHER[field]})) != request_key("m", REQUEST)


def test_key_depends_on_the_model_and_not_on_the_requests_own_key():
    assert request_key("m", replace(REQUEST, key="other")) == request_key("m", REQUEST)
    assert request_key("n", REQUEST) != request_key("m", REQUEST)
    assert request_key("m", replace(REQUEST, wanted=lambda: False)) == request_key("m", REQUEST)
    fields = {"key", "wanted", *OTHER}
    assert fields == set(ChatRequest.__dataclass_fields__), "a new field must be part of the key"


def test_drawing_key():
    keys = {drawing_key("a", "b", 1), drawing_key("ab", "", 1), drawing_key("a", "b", 2)}
    assert len(keys) == 3


texts = st.text(max_size=40)
replies = st.builds(
    ChatReply,
    key=texts,
    text=texts,
    reason=st.none(),
    detail=texts,
    finish_reason=texts,
    prompt_tokens=st.integers(0, 10**9),
    completion_tokens=st.integers(0, 10**9),
    latency_s=st.floats(0, 1e6),
) | st.builds(
    ChatReply,
    key=texts,
    text=st.none(),
    reason=st.sampled_from([reason for reason in FailureReason if not reason.transient]),
    detail=texts,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal(tmp_path_factory.mktemp("journal") / "j.sqlite") as journal:
        yield journal


@given(replies)
def test_a_reply_comes_back_as_it_was(shared: Journal, reply: ChatReply):
    key = repr(reply)
    do(shared.put(key, reply))
    assert shared.get(key) == reply
    assert shared.get(f"other {key}") is None


@pytest.mark.parametrize("reason", [reason for reason in FailureReason if reason.transient])
def test_transient_failures_are_not_recorded(journal: Journal, reason: FailureReason):
    do(journal.put("key", ChatReply("k", None, reason, "down")))
    assert journal.get("key") is None


def test_what_was_used_first_stays(journal: Journal):
    do(journal.put("key", ChatReply("k", "first", None)))
    do(journal.put("key", ChatReply("k", "second", None)))
    assert journal.get("key") == ChatReply("k", "first", None)
    do(journal.put_drawing("key", Drawing(b"first", "image/png", "r")))
    do(journal.put_drawing("key", Drawing(b"second", "image/png", "r")))
    assert journal.get_drawing("key") == Drawing(b"first", "image/png", "r")


def test_put_returns_when_another_process_could_read_it(journal: Journal):
    """Durable before it is used: whoever opens the journal finds it at the moment `put` returns."""

    async def main() -> list[bool]:
        seen = []
        for number in range(3):
            await journal.put(str(number), ChatReply("k", "text", None))
            with Journal(journal.path) as other:
                seen.append(other.get(str(number)) is not None)
        return seen

    assert asyncio.run(main()) == [True, True, True]


def test_all_of_a_journal_is_found_again(path: DataPath):
    reply, drawing = ChatReply("k", "ä\n\u2028text", None), Drawing(b"\x00\xff", "image/png", "r")
    with Journal(path) as journal:
        do(journal.put("place/1", reply, ["one"]), journal.put_drawing("d", drawing, ["two"]))
        do(journal.tie("place/1", ["three"]), journal.tie_drawing("d", ["four"]))
    with Journal(path) as again:
        assert again.get("place/1") == reply and again.get_drawing("d") == drawing
        assert [key for key, _ in again.begin_with("place")] == ["place/1"]
        assert again.forget_images({"three", "four"}) == (1, 1)
    with Journal(path) as again:
        assert again.get("place/1") is None and again.get_drawing("d") is None


def test_failed_replies_are_forgotten_for_all(path: DataPath):
    failed = FailureReason.REFUSED
    with Journal(path) as journal:
        do(
            journal.put("good", ChatReply("k", "text", None)),
            journal.put("bad", ChatReply("k", None, failed, "no")),
        )
        assert journal.failed([failed]) == journal.forget_failed([failed]) == 1
    with Journal(path) as again:
        assert again.get("good") and again.get("bad") is None and again.failed([failed]) == 0


def test_replies_that_no_step_can_read_are_forgotten_for_all(path: DataPath):
    refusal = "I'm sorry, I can't help with that."
    with Journal(path) as journal:
        do(
            journal.put("good", ChatReply("k", '{"equivalent": true}', None)),
            journal.put("fenced", ChatReply("k", '```json\n{"answer": "4"}\n```', None)),
            journal.put("prose", ChatReply("k", refusal, None)),
            journal.put("other", ChatReply("k", '{"thoughts": 1}', None)),
            journal.put("cut", ChatReply("k", None, FailureReason.TRUNCATED)),
        )
        assert journal.failed(["truncated"]) == 1
        assert journal.failed(["unparsable"]) == journal.forget_failed(["unparsable"]) == 2
    with Journal(path) as again:
        assert {key for key, _ in again.replies()} == {"good", "fenced", "cut"}


def test_puts_of_one_moment_share_a_commit(local: Journal):
    commits: list[str] = []
    local._database.set_trace_callback(
        lambda statement: commits.append(statement) if statement == "COMMIT" else None
    )
    do(*(local.put(str(number), ChatReply("k", "text", None)) for number in range(50)))
    assert len(commits) == 1
    assert all(local.get(str(number)) for number in range(50))


def test_settings_that_make_a_commit_durable(local: Journal):
    assert local._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert local._database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_unwritable_journal_says_so_and_keeps_what_it_has(local: Journal):
    do(local.put("before", ChatReply("k", "text", None)))
    local._database.execute("PRAGMA query_only=ON")
    with pytest.raises(JournalError, match=r"journal\.sqlite cannot be written"):
        do(local.put("after", ChatReply("k", "text", None)))
    local._database.execute("PRAGMA query_only=OFF")
    do(local.put("again", ChatReply("k", "text", None)))
    assert local.get("before") and local.get("again") and local.get("after") is None


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path):
    path = tmp_path / "j.sqlite"
    path.write_bytes(b"this is no database, and long enough to be seen as none" * 40)
    with pytest.raises(JournalError, match="move it away"):
        Journal(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_replies_are_forgotten_with_any_image_that_their_request_showed(journal: Journal):
    reply = ChatReply("k", "text", None)
    do(
        journal.put("both", reply, ["one", "two"]),
        journal.put("one", reply, ["one", "one"]),
        journal.put("two", reply, ["two"]),
        journal.put("none", reply),
    )
    assert journal.forget_images({"one"}) == (0, 2)
    assert [bool(journal.get(key)) for key in ("both", "one", "two", "none")] == [0, 0, 1, 1]
    assert journal.forget_images({"one"}) == (0, 0)
    assert journal.forget_images({"two"}) == (0, 1)  # `both` is gone already


def test_journal_of_captions_forgets_images_as_well(tmp_path: Path):
    path = tmp_path / "captions.sqlite"
    with ReplyJournal(path) as captions:
        do(captions.put("place/key", ChatReply("k", "text", None), ["one"]))
    with Journal(path) as journal:
        assert journal.forget_images({"one"}) == (0, 1)
        assert list(journal.begin_with("place")) == []


def test_replies_by_the_beginning_of_their_key(journal: Journal):
    reply = ChatReply("k", "text", None)
    keys = ["a/1", "a/2", "ab/1", "a", "a0", "A/1"]
    do(*(journal.put(key, reply) for key in keys))
    assert [key for key, _ in journal.begin_with("a")] == ["a/1", "a/2"]
    journal.drop(["a/1", "a0"])
    assert [key for key in keys if journal.get(key)] == ["a/2", "ab/1", "a", "A/1"]


def test_flush_writes_at_once_and_says_what_went_wrong(local: Journal):
    async def main() -> None:
        commit = local.record("one", ChatReply("k", "text", None))
        local.flush()
        assert commit is not None and commit.done() and local.get("one")
        local.flush()  # nothing is left to write
        local._database.execute("PRAGMA query_only=ON")
        local.record("two", ChatReply("k", "text", None))
        with pytest.raises(JournalError, match="cannot be written"):
            local.flush()

    asyncio.run(main())


def test_replies_of_one_moment_share_a_segment(bucket_path: ObjectPath):
    with Journal(bucket_path) as journal:
        do(*(journal.put(str(number), ChatReply("k", "text", None)) for number in range(50)))
        assert len(list(bucket_path.objects())) == 1
        assert all(journal.get(str(number)) for number in range(50))


def test_what_a_killed_writer_has_put_is_there(bucket_path: ObjectPath):
    script = f"""
import asyncio, os, signal
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.files.object_path import data_path
from rolesynth_assets.mllm.engine import ChatReply
async def main():
    journal = Journal(data_path({str(bucket_path)!r}))
    for number in range(2):
        await journal.put(str(number), ChatReply("k", "text", None))
    journal.record("lost", ChatReply("k", "text", None))
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], env=os.environ, check=False)
    assert done.returncode == -9
    with Journal(bucket_path) as journal:
        assert [bool(journal.get(key)) for key in ("0", "1", "lost")] == [True, True, False]


def test_a_writer_merges_its_segments(bucket_path: ObjectPath, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(journal_uploads, "FLUSH_S", 0)
    monkeypatch.setattr(journal_uploads, "MERGED", 3)
    reply, drawing = ChatReply("k", "text", None), Drawing(b"image", "image/png", "r")

    async def main(journal: Journal) -> None:
        for number in range(4):
            await journal.put(str(number), reply, ["one"])
            await journal.put_drawing(f"d{number}", drawing)

    with Journal(bucket_path) as other, Journal(bucket_path) as journal:
        do(other.put("other", reply))  # whose segment is its own
        asyncio.run(main(journal))
        assert len(list(bucket_path.objects())) == 2 + 2 + 1
        journal.drop(["1"])
        assert all(journal.get(key) for key in ("0", "2", "3")) and journal.get("1") is None
    assert len(list(bucket_path.objects())) == 3 + 1
    with Journal(bucket_path) as again:
        assert [bool(again.get(key)) for key in ("0", "1", "2", "3", "other")] == [1, 0, 1, 1, 1]
        assert all(again.get_drawing(f"d{number}") == drawing for number in range(4))
        assert again.forget_images({"one"}) == (0, 3)
        assert again.get("other")


def test_hosts_on_different_partitions_do_not_disturb_each_other(bucket_path: ObjectPath):
    reply = ChatReply("k", "text", None)
    with Journal(bucket_path) as one:
        do(one.put("a/1", reply))
        with Journal(bucket_path) as two:
            do(two.put("b/1", reply), two.put("b/2", reply))
            do(one.put("a/2", reply))
            two.drop(["b/1"])
            one.drop(["a/1", "a/2"])
            do(one.put("a/3", reply))
    with Journal(bucket_path) as again:
        assert [bool(again.get(key)) for key in ("a/1", "a/2", "a/3", "b/1", "b/2")] == [
            *(False, False, True, False, True)
        ]


def test_a_dropped_segment_is_gone(bucket_path: ObjectPath):
    with Journal(bucket_path) as journal:
        do(journal.put("a/1", ChatReply("k", "text", None)))
    with Journal(bucket_path) as again:
        again.drop(["a/1"])
        assert not list(bucket_path.objects())


def test_a_reader_that_meets_a_merge_reads_the_merged_segment(
    bucket_path: ObjectPath, monkeypatch: pytest.MonkeyPatch
):
    reply = ChatReply("k", "text", None)
    with Journal(bucket_path) as journal:
        do(journal.put("one", reply))
    (segment,) = bucket_path.objects()
    read = ObjectPath.read_text

    def moved(self: ObjectPath) -> str:
        if self == segment and self.is_file():  # between the listing and the reading
            (self.parent / f"{segment.stem}-merged.jsonl").write_bytes(self.read_bytes())
            self.unlink()
        return read(self)

    monkeypatch.setattr(ObjectPath, "read_text", moved)
    with Journal(bucket_path) as again:
        assert again.get("one") == reply


def test_a_bucket_that_cannot_be_written_says_so_and_keeps_what_it_has(
    bucket_path: ObjectPath, monkeypatch: pytest.MonkeyPatch
):
    reply = ChatReply("k", "text", None)

    def refused(self: ObjectPath, content: bytes) -> None:
        raise StorageError("Access refused")

    with Journal(bucket_path) as journal:
        do(journal.put("before", reply))
        with monkeypatch.context() as patch:
            patch.setattr(ObjectPath, "write_bytes", refused)
            with pytest.raises(JournalError, match=r"cannot be written.*Access refused"):
                do(journal.put("after", reply))

            async def main() -> None:
                journal.record("flushed", reply)
                with pytest.raises(JournalError, match="Access refused"):
                    journal.flush()

            asyncio.run(main())
        do(journal.put("again", reply))
        assert journal.get("before") and journal.get("again") and journal.get("after") is None


def test_an_object_that_is_no_segment_is_refused(bucket_path: ObjectPath):
    (bucket_path / "notes.jsonl").write_bytes(b'["accounts", "x"]\n')
    with pytest.raises(JournalError, match=r"notes\.jsonl is no part of a journal"):
        Journal(bucket_path)
