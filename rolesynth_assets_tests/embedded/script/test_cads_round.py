"""A round of the embedded collective with fake judges in the nano's place: two know half each."""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import pytest

from rolesynth_assets.cads.collective.collective import SHIPPED, Collective, read_collective
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.round.stored_round import Place, make_round
from rolesynth_assets.cads.seeds.intake import take_seeds
from rolesynth_assets.cads.values import Decision
from rolesynth_assets.cli.summary.problem_counts import summarise_rounds
from rolesynth_assets.embedded.nano import engine as embedded_engine
from rolesynth_assets.embedded.problems.solve import true_answer
from rolesynth_assets.embedded.problems.write_seeds import SeedSize, write_seeds
from rolesynth_assets.embedded.script.contexts import read_advice
from rolesynth_assets.embedded.world import specification
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest
from rolesynth_assets.store.lance.store import Store

FIRST, SECOND = "2026-01-04", "2026-01-11"


class FakeNano:
    """Knows what was drawn; one knows it of charts alone and one of scenes alone."""

    drawn: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[ChatRequest]] = []

    def __init__(self, weights: Path) -> None:
        self.blind_to = {"nano-scenes": "bar", "nano-charts": "there"}.get(weights.name, "?!")

    def answer(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        question = request.prompt.split("\n\n")[0]
        said = true_answer(self.drawn[sha256(request.images[0]).hexdigest()], question)
        said = "12" if self.blind_to in question else said
        return ChatReply(request.key, json.dumps({"reasoning": "I see.", "answer": said}), None)


@pytest.fixture
def collective(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collective]:
    for name in ("nano", "nano-scenes", "nano-charts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(name)
    draw = specification.draw_specification

    def drawing(instruction: str) -> bytes:
        image = draw(instruction)
        FakeNano.drawn[sha256(image).hexdigest()] = instruction
        return image

    monkeypatch.setattr(embedded_engine, "WEIGHTS", tmp_path / "nano")
    monkeypatch.setattr(embedded_engine, "_Nano", FakeNano)
    monkeypatch.setattr(FakeNano, "asked", [])
    monkeypatch.setattr(specification, "draw_specification", drawing)
    yield read_collective(SHIPPED / "embedded.yaml")


def test_two_rounds_find_hard_problems_and_build_on_them(
    collective: Collective, tmp_path: Path
) -> None:
    store = Store(str(tmp_path / "data"))
    write_seeds(tmp_path / "seeds", SeedSize(seed=1, per_domain=6))
    assert take_seeds(store, tmp_path / "seeds" / "bar_charts", "bar_charts", [], {}).seeds == 6

    def play(key: str, before: str | None) -> RoundOutcome:
        place = Place("bar_charts", key, before, "run")
        return make_round(store, collective, {}, tmp_path / "journal.sqlite", place, {})[0]

    first = play(FIRST, None)
    assert len(first.candidates) == 6 * collective.K
    assert {c.decision for c in first.candidates} <= {Decision.KEPT, Decision.DISCARDED}
    hard = [c for c in first.candidates if c.hard]
    assert hard and all(1 <= (c.consensus or 0) < collective.K for c in hard)
    assert {r.system for r in FakeNano.asked} == {prompt("judge").system}
    optimised = [c for c in first.contexts if c.text]
    assert {c.seed_id for c in optimised} == {c.seed_id for c in hard}
    assert any(read_advice(c.text).build_on for c in optimised)

    calls = len(FakeNano.asked)
    play(FIRST, None)
    assert len(FakeNano.asked) == calls
    second = play(SECOND, FIRST)
    assert {c.before for c in second.contexts} == {c.text for c in first.contexts}
    rows = summarise_rounds(store, ["bar_charts"], [FIRST, SECOND])
    assert [row.candidates for row in rows] == [18, 18]
    assert rows[0].hard == len(hard)
    assert all(row.wrong is not None and row.wrong >= (row.wrong_checked or 0) for row in rows)
