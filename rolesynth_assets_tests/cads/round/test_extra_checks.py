import json
import re
from dataclasses import replace

from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.extra_checks import kept_prints
from rolesynth_assets.cads.values import Decision
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.mllm.quoted_text import quoted_blocks
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    able,
    collective,
    play,
    problem_reply,
    seeds,
    truth,
    writes,
)


def test_extra_checks_are_reported_apart_from_consensus(journal: Journal):
    switched_on = {
        "text_only_leak": True,
        "suspect_label": True,
        "copied_numbers": True,
        "duplicates": True,
        "exclude_writer": True,
    }
    members = able()
    wrong = "Level 1: what is twice the number of dots?"
    members[0].override = writes(problem_reply(wrong, "1"))  # nobody else says 1

    def guesses(step: str, request: ChatRequest) -> str | None:
        easy = re.match(r"Level 1: .*?\?", request.prompt)
        if step != "judge_text_only" or easy is None:
            return None
        return json.dumps({"reasoning": "", "answer": truth(easy[0])})

    members[1].override = guesses
    outcome = play(journal, members, seeds(2), of=collective(extra_checks=switched_on))
    mislabelled = [c for c in outcome.candidates if c.member == "ada"]
    assert {c.decision for c in mislabelled} == {Decision.DISCARDED}
    assert all(c.findings["suspect_label"] for c in mislabelled)
    assert not any("text_only_leak" in c.findings for c in mislabelled)  # asked of kept ones only
    kept = [c for c in outcome.candidates if c.decision is Decision.KEPT]
    assert {(c.consensus, c.consensus_without_writer) for c in kept} == {(3, 2)}
    assert {c.findings["copied_numbers"] for c in kept} == {False}
    leaks = {c.problem.question: c.findings["text_only_leak"] for c in kept if c.problem}
    assert leaks == {question: question.startswith("Level 1:") for question in leaks}
    assert set(leaks.values()) == {True, False}
    blind = [v for v in outcome.verdicts if not v.with_image]
    assert len(blind) == 3 * len(kept)
    assert len({v.verdict_id for v in outcome.verdicts}) == len(outcome.verdicts)
    without = play(journal, members, seeds(2))
    stripped = [
        replace(
            c,
            findings={},
            consensus_without_writer=None,
        )
        for c in outcome.candidates
    ]
    assert without.candidates == stripped  # all off: nothing but the columns is different


def test_verdicts_without_the_image_do_not_reach_the_optimiser(journal: Journal):
    members = [SimulatedMember("ada", 2), SimulatedMember("ben", 9), SimulatedMember("cleo", 9)]
    of = collective(extra_checks={"text_only_leak": True})
    outcome = play(journal, members, seeds(4), of=of)
    assert any(context.hard for context in outcome.contexts)
    for request in members[0].asked("reflect"):
        labels = [label for label, _ in quoted_blocks(request.prompt)]
        assert labels.count("judged") == 3 * labels.count("question")
        assert "INSUFFICIENT_INFORMATION" not in request.prompt


def test_duplicates_of_a_round_and_of_earlier_ones(journal: Journal):
    members = able("ada")
    question = "Level 1: how many dots are in the large grey circle of the picture?"
    members[0].override = lambda step, _: (
        problem_reply(question, truth(question)) if step == "write" else None
    )
    of = collective(["ada"], candidates_per_seed=1, extra_checks={"duplicates": True})
    alike = PlainRenderer(seeded=False)
    outcome = play(journal, members, seeds(3), of=of, renderer=alike)
    first = min(c.candidate_id for c in outcome.candidates)
    assert [c.duplicate_of for c in outcome.candidates] == [
        None if c.candidate_id == first else first for c in outcome.candidates
    ]
    earlier = [replace(one, key="earlier") for one in kept_prints(outcome.candidates)[:1]]
    later = play(journal, members, seeds(3), of=of, renderer=alike, earlier=earlier)
    assert {c.duplicate_of for c in later.candidates} == {"earlier"}
    discarded = [replace(c, decision=Decision.DISCARDED) for c in outcome.candidates]
    assert kept_prints(discarded) == []
