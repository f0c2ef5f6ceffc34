"""Scores that were paid for when ordinary captions had no marks around them."""

from collections.abc import Iterator

import pytest

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason
from rolesynth_assets.pairs import scoring
from rolesynth_assets.pairs.judge import JudgePrompt, judge_prompt
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.pairs.test_scoring import (
    HERE,
    ROLES,
    FakeJudge,
    put_captions,
    run,
    store,
    text_judge,
)

__all__ = ["store"]


@pytest.fixture
def before() -> Iterator[pytest.MonkeyPatch]:
    """Score as earlier versions did, until it is undone."""

    def unmarked(self: JudgePrompt, role: object, caption: str, *, stand_in: bool = False) -> str:
        return self.render_unmarked(role, caption)  # type: ignore[arg-type]

    context = pytest.MonkeyPatch()
    context.setattr(JudgePrompt, "render", unmarked)
    yield context
    context.undo()


def test_paid_scores_are_kept_and_new_captions_are_asked_with_marks(
    store: Store, before: pytest.MonkeyPatch
) -> None:
    run(store, text_judge("50"))
    kept = store.digest("scores", HERE)
    before.undo()
    judge = text_judge("99")
    assert run(store, judge).current == 11
    assert judge.asked == [] and store.digest("scores", HERE) == kept

    rows = store.read("captions", HERE).to_pylist()
    rows[0]["text"] = "A blue dog."
    put_captions(store, rows)
    report = run(store, judge)
    assert [request.prompt.count("<caption ") for request in judge.asked] == [1]
    assert (report.calls, report.current, report.removed) == (1, 10, 1)
    assert run(store, judge).current == 11
    assert len(judge.asked) == 1


def test_the_plan_wants_no_score_again(store: Store, before: pytest.MonkeyPatch) -> None:
    run(store, text_judge("50"))
    before.undo()
    identity = text_judge("50").identity
    wanted = scoring.wanted_scores(store, HERE, ROLES, identity, judge_prompt())
    assert store.plan("scores", HERE, list(wanted)).missing == ()


def test_captions_that_are_made_again_want_no_score_of_their_present_text(store: Store) -> None:
    identity = text_judge("50").identity
    spoken = store.read("captions", HERE, ["caption_id"], "text IS NOT NULL")
    ids = spoken["caption_id"].to_pylist()
    every = scoring.wanted_scores(store, HERE, ROLES, identity, judge_prompt())
    some = scoring.wanted_scores(store, HERE, ROLES, identity, judge_prompt(), staying=ids[:3])
    assert (len(every), len(some)) == (len(ids), 3)
    assert not scoring.wanted_scores(store, HERE, ROLES, identity, judge_prompt(), staying=())


def test_a_paid_score_is_copied_from_another_role_set(
    store: Store, before: pytest.MonkeyPatch
) -> None:
    put_captions(store, store.read("captions", HERE).to_pylist(), "twin")
    run(store, text_judge("50"))
    before.undo()
    judge = text_judge("99")
    assert run(store, judge, role_set="twin").reused == 11
    assert judge.asked == []


def test_a_score_that_failed_in_passing_is_asked_with_marks(
    store: Store, before: pytest.MonkeyPatch
) -> None:
    def fails(request: ChatRequest) -> ChatReply:
        return ChatReply(request.key, None, FailureReason.TIMEOUT, "slow")

    run(store, FakeJudge(fails))
    before.undo()
    judge = text_judge("70")
    report = run(store, judge)
    assert (report.calls, report.failed_in_passing) == (11, 0)
    assert all("<caption " in request.prompt for request in judge.asked)
    assert set(store.read("scores", HERE)["score"].to_pylist()) == {70}


def test_a_paid_reply_in_the_journal_is_not_paid_twice(
    store: Store, before: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(scoring.RowRun, "_store_pending", lambda self, journal: journal.flush())
        run(store, text_judge("50"))
    assert store.count("scores", HERE) == 0
    before.undo()
    judge = text_judge("99")
    report = run(store, judge)
    assert (report.recovered, report.calls) == (11, 0)
    assert set(store.read("scores", HERE)["score"].to_pylist()) == {50}
