import asyncio
import json
from collections.abc import AsyncIterator, Iterable

import pytest

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, ModelIdentity
from rolesynth_assets.roles.generate import (
    SYSTEM,
    RoleDialogue,
    RoleGenerationError,
    parse_records,
    propose_roles,
)
from rolesynth_assets.roles.library import load_role_sets
from rolesynth_assets.store.digests import seed_from

ROLE_SETS = load_role_sets()
NAMES = ["Botanist", "Geometer", "Historian", "Colourist", "Dramatist"]
RECORDS = [
    {
        "name": name,
        "expertise": f"You look as a {name} does.",
        "responsibilities": f"Name what a {name} sees first.",
    }
    for name in NAMES
]
GOOD = json.dumps(RECORDS)


class ScriptedEngine:
    """Gives its answers in order; an answer may be a failure reason."""

    identity = ModelIdentity("scripted", "member", "7")

    def __init__(self, *answers: str | FailureReason) -> None:
        self.answers = list(answers)
        self.requests: list[ChatRequest] = []

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncIterator[ChatReply]:
        for request in requests:
            self.requests.append(request)
            answer = self.answers[len(self.requests) - 1]
            if isinstance(answer, FailureReason):
                yield ChatReply(request.key, None, answer, detail="half a list")
            else:
                yield ChatReply(request.key, answer, None, prompt_tokens=3, completion_tokens=2)

    async def aclose(self) -> None:
        return None


def propose(engine: ScriptedEngine) -> RoleDialogue:
    return asyncio.run(propose_roles(engine, ROLE_SETS["generated"]))


def test_two_phases_and_two_rounds_make_the_roles() -> None:
    engine = ScriptedEngine("Botanist: plants", "first draft", f"Here:\n```json\n{GOOD}\n```")
    dialogue = propose(engine)
    assert [role.name for role in dialogue.roles] == NAMES
    assert dialogue.roles[0].templates == ROLE_SETS["generated"].templates
    assert (dialogue.generator, dialogue.rounds, dialogue.repaired) == ("member@7", 2, False)
    assert (dialogue.prompt_tokens, dialogue.completion_tokens) == (9, 6)
    assert len(dialogue.turns) == 6


def test_the_requests_are_laid_out_as_documented() -> None:
    engine = ScriptedEngine("proposal", "draft", "no list", GOOD)
    dialogue = propose(engine)
    steps = ["propose", "refine-1", "refine-2", "repair"]
    assert [request.key for request in engine.requests] == [
        f"roles/generated/{step}" for step in steps
    ]
    assert [request.prompt.split(":")[0].split(".")[0] for request in engine.requests] == [
        "Phase 1",
        "Phase 2, round 1 of 2",
        "Phase 2, round 2 of 2",
        "Your answer is unusable",
    ]
    assert [len(request.history) for request in engine.requests] == [0, 2, 4, 6]
    assert [request.seed for request in engine.requests] == [
        seed_from("roles", "generated", step) for step in steps
    ]
    assert all(request.system == SYSTEM and not request.images for request in engine.requests)
    assert [turn.speaker for turn in dialogue.turns] == ["user", "assistant"] * 4
    assert dialogue.turns[1].text == "proposal"
    assert dialogue.repaired


def test_the_repair_says_what_was_wrong() -> None:
    engine = ScriptedEngine("proposal", "draft", json.dumps(RECORDS[:3]), GOOD)
    propose(engine)
    assert "it holds 3 records instead of 5." in engine.requests[-1].prompt


def test_one_repair_is_all_there_is() -> None:
    engine = ScriptedEngine("proposal", "draft", "no list", "still none")
    with pytest.raises(RoleGenerationError, match="'generated': member gave no usable roles"):
        propose(engine)
    assert len(engine.requests) == 4


def test_a_step_without_text_is_named() -> None:
    engine = ScriptedEngine("proposal", FailureReason.TRUNCATED)
    with pytest.raises(RoleGenerationError, match=r"step refine-1: .*truncated: half a list"):
        propose(engine)


def test_written_sets_need_no_dialogue() -> None:
    with pytest.raises(ValueError, match="has written roles"):
        asyncio.run(propose_roles(ScriptedEngine(), ROLE_SETS["roles5"]))


def changed(**fields: object) -> str:
    return json.dumps([RECORDS[0] | fields, *RECORDS[1:]])


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("none", "no JSON list"),
        ("[1, 2, 3, 4, 5]", "no JSON list"),
        ("[" * 19_000, "no JSON list"),
        (json.dumps(RECORDS[:4]), "4 records instead of 5"),
        (changed(name=""), "record 1, field name"),
        (changed(name=3), "record 1, field name"),
        (changed(mood="gay"), "record 1, field mood"),
        (changed(expertise=""), "record 1, field expertise is empty"),
        (changed(expertise="very " * 25), "record 1, field expertise has 25 words"),
        (changed(responsibilities="name " * 46), "field responsibilities has 46 words"),
        (changed(name="geometer"), "two records have the same name"),
        (
            changed(responsibilities=RECORDS[1]["responsibilities"]),
            "two records have the same responsibilities",
        ),
    ],
)
def test_unusable_answers_are_told_apart(answer: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_records(answer, 5)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"The roles [five of them] are: {GOOD} Enough?",
        json.dumps({"roles": RECORDS}),
        json.dumps(RECORDS + RECORDS),
    ],
)
def test_a_list_is_found_in_what_stands_around_it(answer: str) -> None:
    assert [record.name for record in parse_records(answer, 5)] == NAMES
