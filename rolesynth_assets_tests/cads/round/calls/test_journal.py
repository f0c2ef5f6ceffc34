import asyncio
import sqlite3
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.drawing.renderer import Drawing
from rolesynth_assets.cads.round.calls.journal import Journal, drawing_key
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling, Turn
from rolesynth_assets.mllm.rows.reply_journal import JournalError, ReplyJournal, request_key

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
    """Durable before it is used: another connection sees it at the moment `put` returns."""

    async def main() -> list[int]:
        seen = []
        for number in range(3):
            await journal.put(str(number), ChatReply("k", "text", None))
            with sqlite3.connect(journal.path) as other:
                seen.append(other.execute("SELECT COUNT(*) FROM replies").fetchone()[0])
        return seen

    assert asyncio.run(main()) == [1, 2, 3]


def test_puts_of_one_moment_share_a_commit(journal: Journal):
    commits: list[str] = []
    journal._database.set_trace_callback(
        lambda statement: commits.append(statement) if statement == "COMMIT" else None
    )
    do(*(journal.put(str(number), ChatReply("k", "text", None)) for number in range(50)))
    assert len(commits) == 1
    assert all(journal.get(str(number)) for number in range(50))


def test_settings_that_make_a_commit_durable(journal: Journal):
    assert journal._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_unwritable_journal_says_so_and_keeps_what_it_has(journal: Journal):
    do(journal.put("before", ChatReply("k", "text", None)))
    journal._database.execute("PRAGMA query_only=ON")
    with pytest.raises(JournalError, match=r"journal\.sqlite cannot be written"):
        do(journal.put("after", ChatReply("k", "text", None)))
    journal._database.execute("PRAGMA query_only=OFF")
    do(journal.put("again", ChatReply("k", "text", None)))
    assert journal.get("before") and journal.get("again") and journal.get("after") is None


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


def test_flush_writes_at_once_and_says_what_went_wrong(journal: Journal):
    async def main() -> None:
        commit = journal.record("one", ChatReply("k", "text", None))
        journal.flush()
        assert commit is not None and commit.done() and journal.get("one")
        journal.flush()  # nothing is left to write
        journal._database.execute("PRAGMA query_only=ON")
        journal.record("two", ChatReply("k", "text", None))
        with pytest.raises(JournalError, match="cannot be written"):
            journal.flush()

    asyncio.run(main())
