from __future__ import annotations

from pathlib import Path

import pytest

from rolesynth_assets.cli.lineage.trace_page import trace_page
from rolesynth_assets.lineage.trace.graph import Kind, Node, NodeId, Trace
from rolesynth_assets.lineage.trace.pictures import trace_pictures
from rolesynth_assets.lineage.trace.sources import Sources
from rolesynth_assets.lineage.trace.subject import SubjectError
from rolesynth_assets.lineage.trace.trace import trace
from rolesynth_assets.store.digests import image_id
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets.store.small.tables import SmallTables
from rolesynth_assets_tests.lineage.stored_problems import (
    CONTEXT,
    SEED_IMAGES,
    drawn,
    key,
    store_problems,
)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    store, small = Store(tmp_path), SmallTables(tmp_path)
    store_problems(store, small)
    return Sources(store, small, tmp_path)


def names(nodes: list[Node], kind: Kind) -> set[str]:
    return {node.id.key for node in nodes if node.id.kind is kind}


def node(traced: Trace, kind: Kind, name: str) -> NodeId:
    return next(n for n in traced.nodes if n.kind is kind and n.key.startswith(key(name)))


def test_candidate_comes_from_its_seed_and_the_context_that_hard_ones_led_to(
    sources: Sources,
) -> None:
    traced = trace(sources, f"candidate:{key('p2')[:12]}")
    above = traced.causes(traced.subject)
    assert names(above, Kind.SEED) == {key("p")}
    (context,) = [n for n in above if n.id.kind is Kind.CONTEXT]
    assert context.facts["text"] == CONTEXT
    assert context.facts["reflection"] == "One step is too easy."
    assert names(traced.causes(context.id), Kind.CANDIDATE) == {key("p1")}
    first = trace(sources, key("p1"))
    assert not names(first.causes(first.subject), Kind.CONTEXT)  # nothing came before round one


def test_candidate_leads_to_verdicts_problem_policy_and_score(sources: Sources) -> None:
    traced = trace(sources, key("p2"))
    below = traced.effects(traced.subject)
    verdicts = {n.label for n in below if n.id.kind is Kind.VERDICT}
    assert verdicts == {"ada: 4 (right)", "ben: 5 (wrong)"}
    (problem,) = [n for n in below if n.id.kind is Kind.PROBLEM]
    (policy,) = traced.effects(problem.id)
    assert (policy.id.kind, policy.run_id) == (Kind.R1_CHECKPOINT, "r1-run")
    (score,) = traced.effects(policy.id)
    assert score.facts["accuracy"] == "50.0% [40.0%, 60.0%] of 50"


def test_seed_leads_to_all_of_its_candidates_and_to_no_others(sources: Sources) -> None:
    traced = trace(sources, f"seed:{key('p')[:10]}")
    assert names(list(traced.nodes.values()), Kind.CANDIDATE) == {key("p1"), key("p2")}
    assert traced.nodes[traced.subject].facts["archived answer"] == "3"
    few = trace(sources, f"seed:{key('p')[:10]}", limit=1)
    assert names(list(few.nodes.values()), Kind.CANDIDATE) == {key("p1")}
    assert any(n.label == "1 more candidate; see --limit" for n in few.nodes.values())


def test_discarded_candidate_ends_at_its_verdicts(sources: Sources) -> None:
    traced = trace(sources, key("q1"))
    assert {n.id.kind for n in traced.effects(traced.subject)} == {Kind.VERDICT}
    assert traced.nodes[traced.subject].facts["judges that agree (C)"] == "0 of 2"


def test_image_of_a_seed_and_image_drawn_are_told_apart(sources: Sources) -> None:
    shown = trace(sources, image_id(SEED_IMAGES["p"]))
    assert names(shown.effects(shown.subject), Kind.SEED) == {key("p")}
    made = trace(sources, image_id(drawn("p1")))
    assert names(made.causes(made.subject), Kind.CANDIDATE) == {key("p1")}


@pytest.mark.parametrize(
    "subject", ["r1_checkpoints[synthetic|0]", "r1_scores[held_out|synthetic]"]
)
def test_policy_and_score_lead_back_to_seeds(sources: Sources, subject: str) -> None:
    traced = trace(sources, subject)
    policy = next(n for n in traced.nodes if n.kind is Kind.R1_CHECKPOINT)
    assert names(traced.causes(policy), Kind.PROBLEM) == {key("p1"), key("p2")}
    (candidate,) = traced.causes(node(traced, Kind.PROBLEM, "p1"))
    assert names(traced.causes(candidate.id), Kind.SEED) == {key("p")}
    few = trace(sources, subject, limit=1)
    assert any(n.label.startswith("1 more question") for n in few.causes(policy))


def test_unknown_policy_lists_those_there_are(sources: Sources) -> None:
    with pytest.raises(SubjectError, match=r"there are: synthetic\|0"):
        trace(sources, "r1_checkpoints[base|0]")
    with pytest.raises(SubjectError, match=r"there are: held_out\|synthetic"):
        trace(sources, "r1_scores[other|synthetic]")


def test_page_shows_the_drawing_and_the_seeds_picture(sources: Sources) -> None:
    traced = trace(sources, key("p2"))
    pictures = trace_pictures(sources, traced)
    assert {bytes(data) for _, data in pictures.values()} == {
        drawn("p1"),
        drawn("p2"),
        SEED_IMAGES["p"],
    }
    assert trace_page(traced, "http://ui", pictures).count("<img") >= 3
