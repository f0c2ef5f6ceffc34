import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pytest

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, ModelIdentity
from rolesynth_assets.pairs.scoring import SAME_SCORE, ScoreReport, write_scores
from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.lance.schemas import table_spec
from rolesynth_assets.store.lance.store import Store

SHARD, ROLE_SET = "s1", "two"
HERE = {"shard": SHARD, "role_set": ROLE_SET}
TEMPLATES = PromptTemplates(long="{responsibilities} Long.", short="{responsibilities} Short.")
ROLES = [
    Role(name=name, responsibilities=f"Look for {name}.", system="Write.", templates=TEMPLATES)
    for name in ("Zeal", "Art")
]


class FakeJudge:
    """Answers 50 unless told otherwise, newest request first, and keeps what it was asked."""

    def __init__(
        self,
        answer: Callable[[ChatRequest], ChatReply] | None = None,
        *,
        model: str = "judge",
        calls_before_dying: int | None = None,
    ) -> None:
        self.identity = ModelIdentity("fake", model, "1")
        self.asked: list[ChatRequest] = []
        self._answer = answer or (lambda request: answered(request, "50"))
        self._left = calls_before_dying

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        batch = list(requests)
        self.asked += batch
        for request in reversed(batch):
            if self._left is not None:
                if self._left == 0:
                    raise KeyboardInterrupt
                self._left -= 1
            yield self._answer(request)

    async def aclose(self) -> None:
        pass


def answered(request: ChatRequest, text: str) -> ChatReply:
    return ChatReply(request.key, text, None, prompt_tokens=7, completion_tokens=2)


def caption(image: str, role: Role, length: str, text: str | None = "A red cat.") -> dict:
    return {
        "caption_id": f"{image}-{role.name}-{length}",
        "image_id": image,
        "role": role.name,
        "role_fingerprint": role.fingerprint,
        "length": length,
        "text": text,
        "reason": None if text else "empty",
        "detail": "",
        "model": "m",
        "revision": "1",
        "temperature": 0.7,
        "top_p": 0.9,
        "max_tokens": 48,
        "seed": 1,
        "words": 3,
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "finish_reason": "stop",
        "latency_s": 0.1,
        "run_id": "r0",
    }


def put_captions(store: Store, rows: list[dict], role_set: str = ROLE_SET) -> None:
    partition = {"shard": SHARD, "role_set": role_set}
    whole = [{**row, **partition} for row in rows]
    table = pa.Table.from_pylist(whole, schema=table_spec("captions").schema)
    store.replace("captions", partition, table)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(str(tmp_path))
    images = [
        {
            "image_id": image,
            "shard": SHARD,
            "source": image,
            "media_type": "image/png",
            "width": 1,
            "height": 1,
            "bytes": 3,
            "data": f"png-{image}".encode(),
            "ordinal": ordinal,
        }
        for ordinal, image in enumerate(("i1", "i2", "i3"))
    ]
    schema = table_spec("images").schema
    made.replace("images", {"shard": SHARD}, pa.Table.from_pylist(images, schema=schema))
    rows = [
        caption(image, role, length)
        for length in ("short", "long")
        for role in ROLES
        for image in ("i1", "i2", "i3")
    ]
    rows[4]["text"], rows[4]["reason"] = None, "empty"
    put_captions(made, rows)
    return made


def run(store: Store, engine: FakeJudge, *, role_set: str = ROLE_SET, **options) -> ScoreReport:
    work = write_scores(store, engine, SHARD, role_set, ROLES, run_id="r1", **options)
    return asyncio.run(work)


def text_judge(text: str) -> FakeJudge:
    return FakeJudge(lambda request: answered(request, text))


def test_scores_every_caption_with_text_and_joins_replies_by_key(store: Store) -> None:
    def by_length(request: ChatRequest) -> ChatReply:
        cat = "90" if "Look for Art" in request.prompt else "20"
        return answered(request, f"{cat}\nBecause.")

    seen: list[tuple[int, int]] = []
    report = run(
        store, FakeJudge(by_length), micro_batch=4, progress=lambda *done: seen.append(done)
    )
    rows = store.read("scores", HERE).to_pylist()
    assert {row["caption_id"]: row["score"] for row in rows} == {
        row["caption_id"]: 90 if row["role"] == "Art" else 20
        for row in store.read("captions", HERE).to_pylist()
        if row["text"]
    }
    assert len(rows) == 11
    assert {row["rationale"] for row in rows} == {"Because."}
    assert (report.captions, report.calls, report.current, report.reused) == (11, 11, 0, 0)
    assert (report.prompt_tokens, report.completion_tokens) == (77, 22)
    assert seen == [(done, 11) for done in range(12)]


def test_an_images_requests_stand_back_to_back_with_its_own_bytes(store: Store) -> None:
    judge = text_judge("50")
    run(store, judge, micro_batch=100)
    sent = [request.images[0].decode() for request in judge.asked]
    assert sent == ["png-i1"] * 4 + ["png-i2"] * 3 + ["png-i3"] * 4
    assert all(request.sampling.temperature == 0 for request in judge.asked)
    assert len({request.system for request in judge.asked}) == 1


def test_a_second_run_asks_nothing_and_changes_nothing(store: Store) -> None:
    run(store, text_judge("50"))
    before = store.digest("scores", HERE)
    again = text_judge("99")
    report = run(store, again)
    assert again.asked == []
    assert (report.calls, report.current, report.removed) == (0, 11, 0)
    assert store.digest("scores", HERE) == before


def test_only_what_changed_is_judged_again(store: Store) -> None:
    run(store, text_judge("50"))
    rows = store.read("captions", HERE).to_pylist()
    rows.remove(next(row for row in rows if row["caption_id"] == "i1-Art-long"))
    next(row for row in rows if row["caption_id"] == "i2-Art-long")["text"] = "A blue dog."
    put_captions(store, rows)
    judge = text_judge("60")
    report = run(store, judge)
    assert ["A blue dog." in request.prompt for request in judge.asked] == [True]
    assert (report.calls, report.removed, report.current) == (1, 2, 9)
    scores = store.read("scores", HERE).to_pylist()
    assert {row["caption_id"]: row["score"] for row in scores}["i2-Art-long"] == 60
    assert "i1-Art-long" not in {row["caption_id"] for row in scores}


def test_another_judge_scores_everything_and_replaces_the_old_scores(store: Store) -> None:
    run(store, text_judge("50"))
    report = run(store, FakeJudge(lambda r: answered(r, "70"), model="other"))
    rows = store.read("scores", HERE).to_pylist()
    assert (report.calls, report.removed) == (11, 11)
    assert {(row["judge"], row["score"]) for row in rows} == {("other", 70)}


def test_the_score_that_most_captions_have_is_asked_again_and_no_other(store: Store) -> None:
    other = ["10"]
    blind = FakeJudge(lambda request: answered(request, other.pop() if other else "85"))
    count = run(store, blind).calls
    mended = text_judge("40")
    assert run(store, mended, again=[SAME_SCORE]).calls == count - 1
    scores = store.read("scores", HERE, ["score"])["score"].to_pylist()
    assert sorted(scores) == [10] + [40] * (count - 1)


def test_failures_are_rows_with_a_reason_and_transient_ones_are_asked_again(store: Store) -> None:
    def moody(request: ChatRequest) -> ChatReply:
        if "Zeal" not in request.prompt:
            return answered(request, "87.5")
        return ChatReply(request.key, None, FailureReason.TIMEOUT, detail="120 s")

    report = run(store, FakeJudge(moody))
    assert report.reasons == {"timeout": 6, "not_an_integer": 5}
    rows = store.read("scores", HERE).to_pylist()
    assert {row["score"] for row in rows} == {None}
    assert {row["detail"] for row in rows} == {"87.5", "120 s"}
    mended = text_judge("50")
    report = run(store, mended)
    assert report.calls == len(mended.asked) == 6
    assert all("Zeal" in request.prompt for request in mended.asked)
    assert len(store.read("scores", HERE)) == 11


def test_a_run_cut_short_keeps_every_reply_and_ends_with_the_same_digest(
    store: Store, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(store, FakeJudge(lambda r: answered(r, "50"), calls_before_dying=8), micro_batch=3)
    assert store.count("scores", HERE) == 8
    rest = text_judge("50")
    run(store, rest, micro_batch=3)
    assert len(rest.asked) == 3
    resumed = store.digest("scores", HERE)
    store.prune("scores", HERE, [])
    run(store, text_judge("50"))
    assert store.digest("scores", HERE) == resumed


def test_the_same_caption_in_another_role_set_reuses_its_score(store: Store) -> None:
    run(store, text_judge("50"))
    put_captions(store, store.read("captions", HERE).to_pylist(), role_set="copy")
    judge = text_judge("99")
    report = run(store, judge, role_set="copy")
    assert judge.asked == []
    assert (report.calls, report.reused) == (0, 11)
    copied = store.read("scores", {"shard": SHARD, "role_set": "copy"}).to_pylist()
    assert {(row["role_set"], row["score"]) for row in copied} == {("copy", 50)}


def test_no_captions_is_an_error_that_names_the_partition(store: Store) -> None:
    with pytest.raises(ValueError, match=r"'s1', role set 'none'.*raw_captions"):
        run(store, text_judge("50"), role_set="none")


def test_captions_of_an_older_role_are_refused(store: Store) -> None:
    changed = [role.model_copy(update={"responsibilities": "Else."}) for role in ROLES[:1]]
    work = write_scores(store, text_judge("50"), SHARD, ROLE_SET, [*changed, ROLES[1]], run_id="r")
    with pytest.raises(ValueError, match=r"\['Zeal'\] were written for other roles"):
        asyncio.run(work)


def test_an_engine_that_swallows_a_request_is_an_error(store: Store) -> None:
    class Forgetful(FakeJudge):
        async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
            for request in list(requests)[1:]:
                yield answered(request, "50")

    with pytest.raises(RuntimeError, match="left 1 of 11 requests without a reply"):
        run(store, Forgetful())
    assert store.count("scores", HERE) == 10
