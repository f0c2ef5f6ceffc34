"""What a round does when something is missing or wrong."""

import json
from pathlib import Path

import pytest

from rolesynth_assets.cads.drawing.renderer import DrawFailure, DrawingFailed
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.values import DecidedBy, Decision, Seed
from rolesynth_assets.mllm.engine import ChatRequest, EngineError, FailureReason
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    able,
    collective,
    play,
    problem_reply,
    seeds,
)


def test_a_missing_verdict_stays_undecided_and_is_asked_again(journal: Journal):
    members = able()
    members[1].override = lambda step, _: FailureReason.TIMEOUT if step == "judge" else None
    first = play(journal, members, seeds(2))
    assert {c.decision for c in first.candidates} == {Decision.UNDECIDED}
    for member in members:
        member.requests.clear()
    members[1].override = lambda step, _: None
    again = play(journal, members, seeds(2))
    assert [len(member.requests) for member in members] == [0, 6, 0]
    assert len(members[1].asked("judge")) == 6
    assert {(c.decision, c.consensus) for c in again.candidates} == {(Decision.KEPT, 3)}
    assert [c.candidate_id for c in again.candidates] == [c.candidate_id for c in first.candidates]


def test_unusable_verdict_is_repaired_once_and_then_an_error_with_its_raw_text(journal: Journal):
    members = able()
    said = {"judge": "I think it is seven."}
    members[0].override = lambda step, request: (
        said.get(step) if "An earlier reply" not in request.prompt else None
    )
    repaired = play(journal, members, seeds(1))
    assert {c.decision for c in repaired.candidates} == {Decision.KEPT}
    assert len(members[0].asked("judge")) == 6
    taken = {(v.verdict.judge, v.spent.calls, v.spent.prompt_tokens) for v in repaired.verdicts}
    assert taken == {("ada", 2, 20), ("ben", 1, 10), ("cleo", 1, 10)}
    repair = next(r for r in members[0].asked("judge") if "An earlier reply" in r.prompt)
    assert "I think it is seven." in repair.prompt and repair.images

    members[0].override = lambda step, request: "still no JSON" if step == "judge" else None
    members[0].requests.clear()
    # another journal, so that nothing is replayed
    with Journal(Path(str(journal.path)).with_name("other.sqlite")) as other:
        failed = play(other, members, seeds(1))
    assert {c.decision for c in failed.candidates} == {Decision.UNDECIDED}
    assert len(members[0].asked("judge")) == 6
    verdicts = [v.verdict for v in failed.verdicts if v.verdict.judge == "ada"]
    assert {(v.correct, v.reason, v.raw) for v in verdicts} == {
        (None, "unparsable", "still no JSON")
    }


def test_cut_off_reply_is_asked_for_again_and_a_refused_one_is_not(journal: Journal):
    members = able("ada")
    failing = {"visual": FailureReason.TRUNCATED, "judge": FailureReason.REFUSED}
    members[0].override = lambda step, request: (
        None if "An earlier reply" in request.prompt else failing.get(step)
    )
    outcome = play(journal, members, seeds(1), of=collective(["ada"], candidates_per_seed=1))
    assert len(members[0].asked("visual")) == 2
    assert outcome.candidates[0].image is not None
    assert len(members[0].asked("judge")) == 1
    assert outcome.verdicts[0].verdict.reason == "refused"


STEPS_THAT_FAIL = {
    "analyse": ("analyse_unparsable", False),
    "write": ("write_unparsable", False),
    "visual": ("visual_unparsable", True),
}


@pytest.mark.parametrize("step", STEPS_THAT_FAIL)
def test_a_step_that_fails_says_which_and_keeps_what_there_is(journal: Journal, step: str):
    reason, has_problem = STEPS_THAT_FAIL[step]
    members = able()
    members[2].override = lambda now, _: "words only" if now == step else None
    outcome = play(journal, members, seeds(1))
    by_member = {c.member: c for c in outcome.candidates}
    failed = by_member["cleo"]
    assert (failed.decision, failed.reason) == (Decision.FAILED, reason)
    assert "words only" in failed.detail
    assert (failed.problem is not None) == has_problem and failed.image is None
    assert by_member["ada"].decision is Decision.KEPT
    assert {v.candidate_id for v in outcome.verdicts} == {
        by_member["ada"].candidate_id,
        by_member["ben"].candidate_id,
    }
    assert outcome.contexts[0].dealt == 3  # a rejected candidate is not replaced


def test_a_failed_drawing_is_no_candidate_to_judge(journal: Journal):
    renderer = PlainRenderer(failure=DrawingFailed(DrawFailure.REJECTED, "policy"))
    outcome = play(journal, able(), seeds(1), renderer=renderer)
    assert {(c.decision, c.reason, c.detail) for c in outcome.candidates} == {
        (Decision.FAILED, "draw_rejected", "policy")
    }
    assert not outcome.verdicts
    assert sum(usage.images for usage in outcome.usage.values()) == 0
    renderer.failure = None
    assert all(c.image for c in play(journal, able(), seeds(1), renderer=renderer).candidates)


def test_candidates_are_judged_while_others_are_written(journal: Journal):
    members = able("ada", "ben")
    diary: list[tuple[str, str]] = []
    for member in members:
        member.diary = diary
    of = collective(["ada", "ben"], candidates_per_seed=8, rounds=1)
    play(journal, members, seeds(1), of=of)
    steps = [step for _, step in diary]
    last_written = len(steps) - 1 - steps[::-1].index("write")
    assert steps[:last_written].count("judge") >= 4


def test_equality_is_settled_by_rule_or_by_the_equaliser_or_not_at_all(journal: Journal):
    def members() -> list[SimulatedMember]:
        three = able()
        for member in three:
            member.override = lambda step, request: (
                problem_reply("What does the scene show?", "a dog that sleeps in the sun")
                if step == "write"
                else json.dumps({"reasoning": "", "answer": "sun-bathing dog, asleep"})
                if step == "judge"
                else None
            )
        return three

    by_model = play(journal, members(), seeds(1))
    assert {(v.verdict.correct, v.verdict.decided_by) for v in by_model.verdicts} == {
        (True, DecidedBy.MODEL)
    }
    assert {v.verdict.detail for v in by_model.verdicts} == {"simulated"}

    without = play(journal, members(), seeds(1), of=collective(equaliser="none"))
    assert {(v.verdict.correct, v.verdict.decided_by) for v in without.verdicts} == {
        (False, DecidedBy.RULE)
    }

    silent = members()
    usual = silent[0].override
    silent[0].override = lambda step, request: (
        FailureReason.CALL_FAILED if step == "equality" else usual(step, request)
    )
    with Journal(Path(str(journal.path)).with_name("other.sqlite")) as other:
        unsettled = play(other, silent, seeds(1))
    assert {(v.verdict.correct, v.verdict.reason) for v in unsettled.verdicts} == {
        (None, "equality_failed")
    }
    assert {c.decision for c in unsettled.candidates} == {Decision.UNDECIDED}


def test_judge_without_eyes_may_lack_information_and_that_is_wrong(journal: Journal):
    of = collective(
        members=[
            {"name": "ada", "engine": "vllm", "model": "a"},
            {"name": "ben", "engine": "vllm", "model": "b", "image_mode": "text_only"},
        ],
        writers=["ada"],
    )
    outcome = play(journal, able("ada", "ben"), seeds(1), of=of)
    blind = [v.verdict for v in outcome.verdicts if v.verdict.judge == "ben"]
    assert {(v.answer, v.correct) for v in blind} == {("INSUFFICIENT_INFORMATION", False)}
    assert {(c.consensus, c.hard) for c in outcome.candidates} == {(1, True)}


def test_writer_in_caption_mode_reads_transcripts_of_the_seeds_images(journal: Journal):
    of = collective(
        members=[
            {"name": "ada", "engine": "vllm", "model": "a"},
            {
                "name": "ben",
                "engine": "vllm",
                "model": "b",
                "image_mode": "caption",
                "transcriber": "ada",
            },
        ],
        writers=["ben"],
        judges=["ada"],
    )
    picture = b"encoded picture"
    seed = Seed("s1", "dots", "<image> How many?", "secret", (picture,), "x")
    ada, ben = able("ada", "ben")
    play(journal, [ada, ben], [seed], of=of)
    assert [r.images for r in ada.asked("transcribe")] == [(picture,)]
    for request in ben.asked("analyse", "write"):
        assert request.images == () and "dots, says ada" in request.prompt

    # and a transcription that fails is said to be the reason
    ada.override = lambda step, _: FailureReason.REFUSED if step == "transcribe" else None
    with Journal(Path(str(journal.path)).with_name("other.sqlite")) as other:
        failed = play(other, [ada, ben], [seed], of=of)
    assert [c.reason for c in failed.candidates] == ["transcribe_refused"]


def test_usage_counts_what_was_paid(journal: Journal):
    of = collective(
        members=[
            {
                "name": "ada",
                "engine": "vllm",
                "model": "a",
                "price_per_million_prompt_tokens": 1e6,
                "price_per_million_completion_tokens": 2e6,
            }
        ],
        candidates_per_seed=1,
    )
    members, told = able("ada"), []
    outcome = play(journal, members, seeds(1), of=of, progress=lambda *now: told.append(now))
    usage = outcome.usage["ada"]
    assert (usage.calls, usage.images) == (4, 1)  # analyse, write, visual, judge
    assert (usage.prompt_tokens, usage.completion_tokens) == (40, 20)
    assert usage.cost == pytest.approx(40 * 1 + 20 * 2)
    assert outcome.candidates[0].spent.calls == 2
    assert outcome.verdicts[0].spent.prompt_tokens == 10
    assert told == [(0, 1), (1, 1)]


def test_engine_error_ends_the_round_bare_and_what_was_paid_is_kept(journal: Journal):
    members = able()

    def down(step: str, request: ChatRequest) -> None:
        if step == "judge":
            raise EngineError("no server answers")

    members[2].override = down
    with pytest.raises(EngineError, match="no server answers"):
        play(journal, members, seeds(2))
    paid = {r.prompt for m in members[:2] for r in m.asked("analyse", "write", "visual")}
    for member in members:
        member.requests.clear()
    members[2].override = lambda step, _: None
    play(journal, members, seeds(2))
    again = {r.prompt for m in members[:2] for r in m.asked("analyse", "write", "visual")}
    assert paid and not paid & again


def test_missing_engine_and_missing_seeds_are_errors(journal: Journal):
    with pytest.raises(ValueError, match="no engine for cleo"):
        play(journal, able("ada", "ben"), seeds(1), of=collective())
    with pytest.raises(ValueError, match="has no seeds"):
        play(journal, able(), [])
