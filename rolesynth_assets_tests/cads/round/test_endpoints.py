"""A collective of three served models from its YAML alone, against the stub server."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from rolesynth_assets.cads.collective.collective import load_collectives
from rolesynth_assets.cads.prompts.templates import prompt
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.round.calls.journal import Journal
from rolesynth_assets.cads.round.play import run_round
from rolesynth_assets.cads.values import Decision
from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.factory import make_engine
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    asked_over_the_wire,
    seeds,
    step_of,
)
from rolesynth_assets_tests.mllm.stub_server import StubRequest, StubServer

YAML = """
name: served
members:
  - {{name: ada, engine: openai, model: first, base_url: {url}, api_key_env: STUB_KEY}}
  - {{name: ben, engine: openai, model: second, base_url: {url}, api_key_env: STUB_KEY}}
  - {{name: cleo, engine: openai, model: third, base_url: {url}, api_key_env: STUB_KEY,
      image_mode: caption, transcriber: ada}}
candidates_per_seed: 3
"""
MODELS = [{"id": name, "object": "model"} for name in ("first", "second", "third")]


def answer(asked: StubRequest) -> str:
    """Answer as simulated members do, from what came over the wire."""
    request = asked_over_the_wire(asked)
    return SimulatedMember(asked.payload["model"], 3).answer(step_of(request), request)


def play(folder: Path, environ: dict[str, str], journal: Journal) -> RoundOutcome:
    of = load_collectives(folder)["served"]

    async def main() -> RoundOutcome:
        engines = {m.name: make_engine(m.settings(environ)) for m in of.members}
        try:
            return await run_round(
                *(of, engines, PlainRenderer(), journal, "dots", "2026-01-04", seeds(2), {}, {}),
                run_id="run",
            )
        finally:
            await asyncio.gather(*(engine.aclose() for engine in engines.values()))

    return asyncio.run(main())


def test_yaml_alone_points_a_collective_at_served_models(tmp_path: Path, journal: Journal):
    with StubServer(answer, models=MODELS, api_key="sesame") as server:
        (tmp_path / "served.yaml").write_text(YAML.format(url=server.url))
        outcome = play(tmp_path, {"STUB_KEY": "sesame"}, journal)
        asked = len(server.requests)
        assert play(tmp_path, {"STUB_KEY": "sesame"}, journal).candidates == outcome.candidates
        assert len(server.requests) == asked
        judged = Counter(
            payload["model"]
            for payload in server.payloads
            if payload["messages"][0]["content"]
            in (prompt("judge").system, prompt("judge_transcript").system)
        )
        assert judged == {"first": 6, "second": 6, "third": 6}
        assert all(p["response_format"] == {"type": "json_object"} for p in server.payloads)
    assert {c.decision for c in outcome.candidates} == {Decision.KEPT}
    assert {c.model for c in outcome.candidates} == {"first", "second", "third"}
    assert sum(usage.calls for usage in outcome.usage.values()) == asked
    assert not any("sesame" in v.verdict.raw + v.verdict.detail for v in outcome.verdicts)


def test_a_wrong_key_ends_the_round_with_the_way_out(tmp_path: Path, journal: Journal):
    with StubServer(answer, models=MODELS, api_key="sesame") as server:
        (tmp_path / "served.yaml").write_text(YAML.format(url=server.url))
        with pytest.raises(EngineError, match="refuses the key"):
            play(tmp_path, {"STUB_KEY": "wrong"}, journal)
