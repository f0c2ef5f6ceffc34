import json

from rolesynth_assets.embedded.script.member import ROLES, answer
from rolesynth_assets.embedded.world.caption_grammar import Style
from rolesynth_assets.mllm.engine import ChatRequest, Sampling
from rolesynth_assets.roles.generate import parse_records


def request(prompt: str) -> ChatRequest:
    return ChatRequest("k", "s", prompt, Sampling(0.7, 0.9, 900), 0)


def test_it_proposes_each_role_on_a_line():
    lines = (answer(request("Phase 1. Propose 8 different roles.")) or "").splitlines()
    assert [line.split(":")[0] for line in lines] == [role.name for role in ROLES]
    assert len({role.name for role in ROLES}) == len(ROLES)


def test_it_refines_to_as_many_records_as_asked_for():
    for count in range(1, len(ROLES) + 1):
        text = answer(request(f"Phase 2. Answer with a JSON list of {count} records: [...]"))
        assert text is not None
        records = parse_records(text, count)
        assert [r.name for r in records] == [role.name for role in ROLES[:count]]
        assert len(json.loads(text)) == count


def test_the_first_roles_have_a_style_each():
    assert len({role.style for role in ROLES[: len(Style)]}) == len(Style)


def test_it_has_no_line_for_anything_else():
    assert answer(request("What is the capital of France?")) is None
    assert answer(request("Answer with a list of 9 records")) is None
