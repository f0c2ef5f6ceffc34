import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.records import CandidateRecord, RoundOutcome, VerdictRecord
from rolesynth_assets.cads.round.calls.journal import Forgotten, Journal
from rolesynth_assets.cads.round.calls.paid_calls import open_calls
from rolesynth_assets.cads.round.withdrawn import refuse_withdrawn
from rolesynth_assets.cads.seeds.read import SeedReason, SeedReject
from rolesynth_assets.cads.seeds.withdrawn import without_withdrawn
from rolesynth_assets.cads.values import Decision, Seed, Verdict
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling
from rolesynth_assets.store.digests import image_id
from rolesynth_assets_tests.cads.simulated import (
    Override,
    PlainRenderer,
    SimulatedMember,
    able,
    collective,
    play,
    seeds,
)

SAYS = "withdrawn on 2026-01-02: the licence ended"


def seed(name: str, *images: bytes) -> Seed:
    return Seed(name, "counting", "How many?", "3", images, f"seeds.jsonl:{name}")


def record(name: str, image: bytes) -> CandidateRecord:
    return CandidateRecord(
        candidate_id=name,
        seed_id="s",
        round_number=1,
        index=0,
        member="ada",
        model="m",
        revision="r",
        context_digest="d",
        decision=Decision.KEPT,
        judges=2,
        image_id=image_id(image),
        image=image,
        consensus=1,
        hard=True,
    )


def test_seed_that_shows_a_withdrawn_image_is_refused() -> None:
    earlier = SeedReject("counting", "x:1", SeedReason.DUPLICATE, "")
    rows = [seed("a", b"one"), seed("b", b"two", b"gone"), seed("c"), earlier]
    a, b, c, same = without_withdrawn(rows, {image_id(b"gone"): SAYS})
    assert (a, c, same) == (rows[0], rows[2], earlier)
    assert b == SeedReject("counting", "seeds.jsonl:b", SeedReason.WITHDRAWN, SAYS)


def test_candidate_with_a_withdrawn_drawing_fails_and_brings_no_bytes_back() -> None:
    judged = [
        VerdictRecord(name, Verdict("ben", "4", True), "m", "r", True, False) for name in ("x", "y")
    ]
    outcome = RoundOutcome(
        "counting", "1", "run", [record("x", b"gone"), record("y", b"fine")], judged, [], {}
    )
    done = refuse_withdrawn(outcome, {image_id(b"gone"): SAYS})
    failed, other = done.candidates
    assert (failed.decision, failed.reason, failed.detail) == ("failed", "draw_withdrawn", SAYS)
    assert (failed.image, failed.consensus, failed.hard) == (None, None, False)
    assert other == outcome.candidates[1]
    assert [v.candidate_id for v in done.verdicts] == ["y"]
    assert refuse_withdrawn(outcome, {}) is outcome


def test_nothing_is_left_of_a_seed_whose_image_was_withdrawn_during_the_round(
    journal: Journal,
) -> None:
    gone, stays = seeds(2)
    gone = replace(gone, images=(b"png",))
    outcome = play(journal, able(), [gone, stays])
    left = refuse_withdrawn(outcome, {image_id(b"png"): SAYS}, [gone, stays])
    assert {c.seed_id for c in left.candidates} == {c.seed_id for c in left.contexts}
    assert {c.seed_id for c in left.contexts} == {stays.seed_id}
    assert {v.candidate_id for v in left.verdicts} == {c.candidate_id for c in left.candidates}
    assert len(left.verdicts) > 0


def test_withdrawn_image_is_not_shown_to_a_member_nor_journaled(journal: Journal) -> None:
    shows_it = replace(seeds(1)[0], images=(b"png",))
    members = able()
    outcome = play(journal, members, [shows_it], withdrawn={image_id(b"png"): SAYS})
    shown = [image for member in members for r in member.requests for image in r.images]
    assert b"png" not in shown
    assert {c.reason for c in outcome.candidates} == {"analyse_rejected"}
    assert all(SAYS in c.detail for c in outcome.candidates)
    assert outcome.to_ask_again == 0


@pytest.mark.parametrize(("last", "reason"), [("write", "write"), ("visual", "visual")])
def test_nothing_more_is_paid_for_a_seed_whose_image_is_withdrawn_between_two_steps(
    journal: Journal, last: str, reason: str
) -> None:
    withdrawn: dict[str, str] = {}
    member, renderer = SimulatedMember("ada"), PlainRenderer()

    def withdraw(step: str, request: ChatRequest) -> None:
        if step == last:
            withdrawn[image_id(b"png")] = SAYS

    member.override = withdraw
    of = collective(["ada"], candidates_per_seed=1, rounds=1)
    seed = replace(seeds(1)[0], images=(b"png",))
    outcome = play(journal, [member], [seed], of=of, renderer=renderer, withdrawn=withdrawn)
    assert {c.reason for c in outcome.candidates} == {f"{reason}_rejected"}
    assert [step for _, step in member.diary][-1] == last
    assert outcome.usage["ada"].images == 0 and outcome.to_ask_again == 0


def test_nothing_is_sent_or_kept_once_the_image_is_withdrawn(journal: Journal) -> None:
    withdrawn: dict[str, str] = {}
    sent: list[str] = []

    class Slow(SimulatedMember):
        async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
            for request in requests:
                sent.append(request.key)
                withdrawn[image_id(b"png")] = SAYS  # while the first one is in flight
                yield ChatReply(request.key, "a fox", None, prompt_tokens=7, completion_tokens=3)

    async def ask() -> list[ChatReply]:
        of = collective(["ada"])
        calls = await open_calls(of, {"ada": Slow("ada")}, PlainRenderer(), journal, withdrawn)
        requests = [
            ChatRequest(f"k{n}", "s", f"p{n}", Sampling(0.0, 1.0, 9), n, (b"png",))
            for n in range(9)
        ]
        replies = await asyncio.gather(*(calls.ask("ada", request, ()) for request in requests))
        paid = calls.usage["ada"]
        assert (paid.calls, paid.prompt_tokens, paid.completion_tokens) == (len(sent), 7, 3)
        await calls.aclose()
        return list(replies)

    replies = asyncio.run(ask())
    assert len(sent) == 1
    assert {reply.reason for reply in replies} == {FailureReason.REJECTED}
    assert journal.forget_images([image_id(b"png")]) == Forgotten(0, 0)


STEPS = ("analyse", "write", "visual", "judge", "judge_text_only", "equality", "reflect")


def unsure() -> list[SimulatedMember]:
    """Members that leave no step out: one answers in words, which the other finds wrong."""

    unequal = '{"equivalent": false, "reason": "no number"}'
    in_words = '{"reasoning": "", "answer": "as many as there are"}'
    ada = SimulatedMember("ada", 9, lambda step, _: unequal if step == "equality" else None)
    return [ada, SimulatedMember("ben", 9, lambda step, _: in_words if step == "judge" else None)]


def both_checks() -> Collective:
    names = ["ada", "ben"]
    return collective(names, candidates_per_seed=2, rounds=1, extra_checks=["text_only_leak"])


def with_picture(number: int = 0) -> Seed:
    return replace(seeds(number + 1)[number], images=(b"png",))


@pytest.mark.parametrize("last", STEPS)
def test_nothing_is_asked_about_a_seed_after_its_withdrawal_whichever_step_it_hits(
    journal: Journal, last: str
) -> None:
    withdrawn: dict[str, str] = {}
    members, renderer = unsure(), PlainRenderer()
    late: list[str] = []

    def spying(usual: Override) -> Override:
        def spy(step: str, request: ChatRequest) -> str | FailureReason | None:
            if withdrawn:
                late.append(step)
            if step == last:
                withdrawn[image_id(b"png")] = SAYS
            return usual(step, request)

        return spy

    for member in members:
        member.override = spying(member.override)
    outcome = play(
        journal, members, [with_picture()], of=both_checks(), renderer=renderer, withdrawn=withdrawn
    )
    assert withdrawn, f"no request of the step {last}"
    assert len(late) <= len(members)  # those in flight
    assert {c.decision for c in outcome.candidates} == {Decision.FAILED}
    assert all(c.reason and SAYS in c.detail and c.image is None for c in outcome.candidates)
    assert outcome.verdicts == [] and outcome.contexts[0].text == ""
    assert outcome.to_ask_again == 0


def rows_of(journal: Journal, table: str) -> int:
    return journal._database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_all_that_came_from_a_seed_is_purged_with_its_image_and_nothing_else(
    journal: Journal,
) -> None:
    stays = [seeds(2)[1]]
    play(journal, unsure(), stays, of=both_checks())
    others = rows_of(journal, "replies"), rows_of(journal, "drawings")
    play(journal, unsure(), [with_picture()], of=both_checks())
    assert rows_of(journal, "replies") > others[0]
    journal.forget_images([image_id(b"png")])
    assert (rows_of(journal, "replies"), rows_of(journal, "drawings")) == others
    assert rows_of(journal, "drawn_from") == 0
    again = unsure()
    play(journal, again, stays, of=both_checks())
    assert [member.requests for member in again] == [[], []]


def test_a_journal_of_an_earlier_version_is_not_paid_again_and_learns_the_ids(
    journal: Journal,
) -> None:
    first = play(journal, unsure(), [with_picture()], of=both_checks())
    shown = rows_of(journal, "shown")
    journal._database.execute("DELETE FROM shown")
    journal._database.execute("DELETE FROM drawn_from")
    again, renderer = unsure(), PlainRenderer()
    second = play(journal, again, [with_picture()], of=both_checks(), renderer=renderer)
    assert [member.requests for member in again] == [[], []] and renderer.drawn == []
    assert (second.candidates, second.contexts) == (first.candidates, first.contexts)
    assert 0 < rows_of(journal, "shown") < shown  # what shows an image had its id before
    journal.forget_images([image_id(b"png")])
    assert rows_of(journal, "drawings") == 0


def test_a_call_that_two_seeds_share_is_answered_for_the_one_that_stays(journal: Journal) -> None:
    withdrawn: dict[str, str] = {}
    member = SimulatedMember("ada", override=lambda step, request: withdraw())

    def withdraw() -> str:
        withdrawn["gone"] = SAYS
        return "equal"

    async def ask() -> list[ChatReply]:
        of = collective(["ada"])
        calls = await open_calls(of, {"ada": member}, PlainRenderer(), journal, withdrawn)
        system = prompt("equality").system
        request = ChatRequest("k", system, "p", Sampling(0.0, 1.0, 9), 1)
        asked = [calls.ask("ada", request, [about]) for about in ("gone", "stays")]
        replies = await asyncio.gather(*asked)
        await calls.aclose()
        return list(replies)

    lost, kept = asyncio.run(ask())
    assert (lost.text, lost.reason, kept.text) == (None, FailureReason.REJECTED, "equal")
    assert len(member.requests) == 1
    assert journal.forget_images(["gone"]) == Forgotten(0, 0)
    assert journal.forget_images(["stays"]) == Forgotten(0, 1)
