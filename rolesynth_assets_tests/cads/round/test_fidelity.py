"""Ten properties without which it would not be CADS; number 8 is in `test_synthetic.py`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolesynth_assets.cads.collective.collective import CollectiveError, read_collective
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.consensus import decide
from rolesynth_assets.cads.round.play import batch_size, deal
from rolesynth_assets.cads.values import Decision, SeedContext, Verdict
from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets.mllm.quoted_text import quoted_blocks
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    collective,
    next_round,
    play,
    seeds,
)


def trio() -> list[SimulatedMember]:
    """Of levels 1 to 3 only the last is hard for them."""
    return [SimulatedMember("ada", 2), SimulatedMember("ben", 3), SimulatedMember("cleo", 4)]


def blocks(request, label: str) -> list[str]:
    return [text for name, text in quoted_blocks(request.prompt) if name == label]


def test_1_writer_sees_its_own_thoughts_and_questions_only(journal):
    members, given_seeds = trio(), seeds(2)
    first = play(journal, members, given_seeds)
    contexts, own = next_round(first)
    contexts = {
        key: SeedContext(key, 1, f"advice for {key}", c.dealt) for key, c in contexts.items()
    }
    for member in members:
        member.requests.clear()
    play(journal, members, given_seeds, previous=contexts, own_questions=own)
    by_prompt = {seed.problem: seed.seed_id for seed in given_seeds}
    for member in members:
        written = member.asked("write")
        assert len(written) == len(given_seeds)
        for request in written:
            seed_id = by_prompt[blocks(request, "seed")[0]]
            assert blocks(request, "findings") == [f"private thought of {member.name}"]
            assert blocks(request, "earlier_question") == own[seed_id, member.name]
            assert blocks(request, "advice") == [f"advice for {seed_id}"]  # one for all members
            strangers = [q for key, qs in own.items() if key != (seed_id, member.name) for q in qs]
            assert not any(question in request.prompt for question in strangers)


def test_1_second_candidate_of_one_round_knows_the_first_question(journal):
    ada = SimulatedMember("ada")
    outcome = play(
        journal, [ada], seeds(1), of=collective(["ada"], candidates_per_seed=3, rounds=1)
    )
    questions = [c.problem.question for c in outcome.candidates if c.problem]
    assert [blocks(r, "earlier_question") for r in ada.asked("write")] == [
        [],
        questions[:1],
        questions[:2],
    ]


def test_2_judge_reads_image_and_question_and_nothing_else(journal):
    members = trio()
    outcome = play(journal, members, seeds(2))
    judged = {c.problem.question: c for c in outcome.candidates if c.problem}
    for member in members:
        requests = member.asked("judge")
        assert len(requests) == len(judged) == 6
        for request in requests:
            candidate = next(c for q, c in judged.items() if q in request.prompt)
            assert candidate.problem and candidate.image
            template = prompt("judge")
            assert request.system == template.system
            assert request.prompt == template.render(question=candidate.problem.question)
            assert request.images == (candidate.image,)
            assert request.history == ()


def test_2_transcriber_does_not_read_the_question(journal):
    of = collective(
        members=[
            {"name": "ada", "engine": "vllm", "model": "a"},
            *(
                {
                    "name": name,
                    "engine": "vllm",
                    "model": name,
                    "image_mode": "caption",
                    "transcriber": "ada",
                }
                for name in ("ben", "cleo")
            ),
        ]
    )
    members = trio()
    outcome = play(journal, members, seeds(1), of=of)
    ada, ben, _ = members
    transcribed = ada.asked("transcribe")
    assert len(transcribed) == 3  # once for each image, though two judges need it
    assert all(r.prompt == prompt("transcribe").render() for r in transcribed)
    for request, candidate in zip(
        sorted(ben.asked("judge_transcript"), key=lambda r: r.key.split("/")[1]),
        sorted(outcome.candidates, key=lambda c: c.candidate_id),
        strict=True,
    ):
        assert candidate.problem
        assert request.images == ()
        assert blocks(request, "problem") == [candidate.problem.question]
        assert blocks(request, "transcript") == ["dots, says ada"]
        assert len(quoted_blocks(request.prompt)) == 2


NAMES = ("ada", "ben", "cleo", "dan")
CORRECT = st.lists(st.sampled_from([True, False, None]), min_size=4, max_size=4)


@given(CORRECT, st.integers(0, 4))
def test_3_consensus_is_over_exactly_k_booleans(correct, present):
    verdicts = [
        Verdict(name, "7", one, reason=None if one is not None else "timeout")
        for name, one in zip(NAMES, correct, strict=True)
    ][:present]
    decision, consensus, hard = decide(verdicts, NAMES)
    if present < 4 or None in correct:
        assert (decision, consensus, hard) == (Decision.UNDECIDED, None, False)
    else:
        assert consensus == sum(correct)


def test_3_a_second_or_a_strangers_verdict_is_an_error():
    verdict = Verdict("ada", "7", True)
    with pytest.raises(ValueError, match="two verdicts of judge 'ada'"):
        decide([verdict, verdict], ["ada", "ben"])
    with pytest.raises(ValueError, match="'ada' is not a judge"):
        decide([verdict], ["ben"])


@pytest.mark.parametrize("reason", list(FailureReason))
def test_3_a_failed_verdict_is_neither_right_nor_wrong(journal, reason):
    members = trio()
    members[0].override = lambda step, request: reason if step == "judge" else None
    outcome = play(journal, members, seeds(1))
    failed = [v.verdict for v in outcome.verdicts if v.verdict.judge == "ada"]
    assert [(v.correct, v.answer, v.reason) for v in failed] == [(None, None, reason)] * 3
    assert [(c.decision, c.consensus) for c in outcome.candidates] == [
        (Decision.UNDECIDED, None)
    ] * 3
    assert all(c.reason == "verdicts_missing" and "ada" in c.detail for c in outcome.candidates)


@pytest.mark.parametrize("solved", range(5))
def test_4_keep_and_hard(solved):
    verdicts = [Verdict(name, "7", place < solved) for place, name in enumerate(NAMES)]
    kept = Decision.KEPT if solved else Decision.DISCARDED
    assert decide(verdicts, NAMES) == (kept, solved, 1 <= solved < 4)


def test_5_context_is_empty_at_first_and_fed_by_hard_samples_of_its_seed_alone(journal):
    members = trio()
    outcome = play(journal, members, seeds(6))
    writes = [r for m in members for r in m.asked("write")]
    assert all(not blocks(request, "advice") for request in writes)
    hard = {
        seed.seed_id: [c for c in outcome.candidates if c.hard and c.seed_id == seed.seed_id]
        for seed in seeds(6)
    }
    reflections = {r.key.split("/")[1]: r for r in members[0].asked("reflect")}
    assert set(reflections) == {seed_id for seed_id, samples in hard.items() if samples}
    assert 0 < len(reflections) < 6  # both kinds occur
    for context in outcome.contexts:
        samples = hard[context.seed_id]
        assert context.before == "" and context.hard == len(samples)
        if not samples:
            assert (context.text, context.reflection, context.optimiser) == ("", None, None)
            continue
        request = reflections[context.seed_id]
        questions = [c.problem.question for c in samples if c.problem]
        assert blocks(request, "question") == questions
        assert request.images == tuple(c.image for c in samples)
        assert len(blocks(request, "judged")) == 3 * len(samples)
        assert context.text.startswith("aim at level") and context.reflection


def test_5_context_stays_without_hard_samples_and_when_it_is_not_optimised(journal):
    able = [SimulatedMember(name, 9) for name in ("ada", "ben", "cleo")]
    given_seeds = seeds(1)
    before = {given_seeds[0].seed_id: SeedContext(given_seeds[0].seed_id, 1, "old advice", 3)}
    easy = play(journal, able, given_seeds, previous=before)
    assert all(c.consensus == 3 and not c.hard for c in easy.candidates)
    assert [(c.text, c.reflection) for c in easy.contexts] == [("old advice", None)]
    off = play(journal, trio(), seeds(6), optimise_context=False)
    assert any(c.hard for c in off.candidates)
    assert {c.text for c in off.contexts} == {""}


def test_5_failed_reflection_leaves_the_context_and_says_why(journal):
    members = trio()
    members[0].override = lambda step, _: "no JSON here" if step == "reflect" else None
    outcome = play(journal, members, seeds(6))
    failed = [c for c in outcome.contexts if c.hard]
    assert failed
    for context in failed:
        assert (context.text, context.reflection, context.reason) == ("", None, "unparsable")
        assert "no JSON here" in context.detail


def test_6_a_seed_has_at_most_ten_rounds(journal, tmp_path):
    of = collective(["ada"], candidates_per_seed=20)
    ada, contexts, own = SimulatedMember("ada"), {}, {}
    rounds = []
    for number in range(12):
        ada.requests.clear()
        outcome = play(
            journal,
            [ada],
            seeds(1),
            of=of,
            previous=contexts,
            own_questions=own,
            round_key=f"2026-01-{number + 1:02}",
        )
        rounds.append((len(outcome.candidates), outcome.contexts[0].round_number))
        contexts, own = next_round(outcome, own)
    assert rounds == [(2, number) for number in range(1, 11)] + [(0, 10), (0, 10)]
    assert not ada.requests
    seed_id = seeds(1)[0].seed_id
    ten_rounds = {seed_id: SeedContext(seed_id, 10, "advice", dealt=1)}
    outcome = play(journal, [ada], seeds(1), of=of, previous=ten_rounds)
    assert not outcome.candidates
    carried = outcome.contexts[0]
    assert (carried.text, carried.round_number, carried.dealt) == ("advice", 10, 1)
    path = tmp_path / "many.yaml"
    path.write_text("name: x\nmembers: [{name: a, engine: vllm, model: m}]\nrounds: 11\n")
    with pytest.raises(CollectiveError, match="rounds"):
        read_collective(path)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 10))
def test_7_the_deal_differs_by_at_most_one(candidates, writers, rounds):
    names = [f"m{number}" for number in range(writers)]
    size = batch_size(candidates, writers, rounds)
    dealt: list[str] = []
    for _ in range(rounds):
        dealt += deal(names, len(dealt), min(size, candidates - len(dealt)))
    assert len(dealt) == candidates
    counts = [dealt.count(name) for name in names]
    assert max(counts) - min(counts) <= 1


@given(st.lists(st.integers(1, 5), max_size=8), st.integers(1, 6))
def test_7_the_deal_goes_on_where_it_stopped(parts, writers):
    names = [f"m{number}" for number in range(writers)]
    dealt: list[str] = []
    for part in parts:
        dealt += deal(names, len(dealt), part)
    assert dealt == deal(names, 0, sum(parts))


def test_7_rounds_deal_all_candidates_and_then_no_more(journal):
    members, contexts, own = trio(), {}, {}
    of = collective(candidates_per_seed=7, rounds=2)
    dealt = []
    for number in (1, 2, 3):
        outcome = play(
            journal,
            members,
            seeds(1),
            of=of,
            previous=contexts,
            own_questions=own,
            round_key=f"2026-01-0{number}",
        )
        dealt.append([(c.index, c.member) for c in outcome.candidates])
        contexts, own = next_round(outcome, own)
    assert dealt[0] == [(n, ("ada", "ben", "cleo")[n % 3]) for n in range(6)]
    assert dealt[1:] == [[(6, "ada")], []]


def test_9_a_repeated_round_makes_no_call(journal):
    members, renderer = trio(), PlainRenderer()
    first = play(journal, members, seeds(4), renderer=renderer)
    assert sum(usage.calls for usage in first.usage.values()) > 0
    for member in members:
        member.requests.clear()
    renderer.drawn.clear()
    again = play(journal, members, seeds(4), renderer=renderer)
    assert not any(member.requests for member in members) and not renderer.drawn
    assert (again.candidates, again.verdicts, again.contexts) == (
        first.candidates,
        first.verdicts,
        first.contexts,
    )
    for name, usage in again.usage.items():
        before = first.usage[name]
        assert (usage.calls, usage.images, usage.cost, usage.prompt_tokens) == (0, 0, 0, 0)
        assert usage.from_journal == before.calls + before.from_journal
        assert usage.images_from_journal == before.images


def test_9_calls_stay_below_the_bound_of_the_cost_model(journal):
    members = [*trio(), SimulatedMember("dan", 4)]
    of, contexts, own = collective([m.name for m in members]), {}, {}
    calls = images = 0
    for number in range(1, 4):
        outcome = play(
            journal,
            members,
            seeds(1),
            of=of,
            previous=contexts,
            own_questions=own,
            round_key=f"2026-01-0{number}",
        )
        calls += sum(usage.calls for usage in outcome.usage.values())
        images += sum(usage.images for usage in outcome.usage.values())
        contexts, own = next_round(outcome, own)
    assert images == 8
    # analyses, problems, instructions, verdicts, reflections; equality is settled by rules here
    assert 4 + 8 + 8 + 32 <= calls <= 4 + 8 + 8 + 32 + 2
    assert calls + 32 + images <= 103  # had the model settled equality each time


def test_10_context_optimisation_raises_the_hard_share(tmp_path):
    of = collective(candidates_per_seed=9, rounds=3)
    shares = {}
    for switched_on in (True, False):
        contexts, own, by_round = {}, {}, []
        with Journal(tmp_path / f"{switched_on}.sqlite") as journal:
            for number in (1, 2, 3):
                outcome = play(
                    journal,
                    trio(),
                    seeds(30),
                    of=of,
                    previous=contexts,
                    own_questions=own,
                    round_key=f"2026-01-0{number}",
                    optimise_context=switched_on,
                )
                by_round.append(sum(c.hard for c in outcome.candidates) / len(outcome.candidates))
                contexts, own = next_round(outcome, own)
        shares[switched_on] = by_round
    assert shares[True][0] == shares[False][0]
    assert shares[True][1] > shares[False][1] + 0.1, shares
    assert max(shares[False]) - min(shares[False]) < 0.15, shares
