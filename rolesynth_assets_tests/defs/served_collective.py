"""A collective of three simulated models behind one stub server."""

from pathlib import Path

import pytest

from rolesynth_assets.cads.drawing import factory
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    asked_over_the_wire,
    step_of,
)
from rolesynth_assets_tests.mllm.seeing import describe_card
from rolesynth_assets_tests.mllm.stub_server import StubRequest, StubServer

SKILLS = {"first": 3, "second": 1, "third": 3}
KEY = "sesame"
YAML = """
name: served
members:
  - {{name: ada, engine: openai, model: first, base_url: {url}, api_key_env: STUB_KEY}}
  - {{name: ben, engine: openai, model: second, base_url: {url}, api_key_env: STUB_KEY}}
  - {{name: cleo, engine: openai, model: third, base_url: {url}, api_key_env: STUB_KEY}}
candidates_per_seed: 12
rounds: 2
"""


def serve() -> StubServer:
    """Return the server of the three models; it starts when it is entered."""
    models = [{"id": name, "object": "model"} for name in SKILLS]
    return StubServer(answer, models=models, api_key=KEY)


def choose(monkeypatch: pytest.MonkeyPatch, project: Path, server: StubServer) -> None:
    """Write the collective's file and make it the project's, its images plain."""
    (project / "collectives").mkdir()
    (project / "collectives" / "served.yaml").write_text(YAML.format(url=server.url))
    monkeypatch.setenv("ROLESYNTH_COLLECTIVE", "served")
    monkeypatch.setenv("STUB_KEY", KEY)
    monkeypatch.setattr(factory, "make_renderer", lambda settings, environ: PlainRenderer())


def answer(asked: StubRequest) -> str:
    """Answer as the asked model would."""
    if said := describe_card(asked):
        return said
    request = asked_over_the_wire(asked)
    model = asked.payload["model"]
    said = SimulatedMember(model, SKILLS[model]).answer(step_of(request), request)
    strategy = ("Logic Reversion", "Auxiliary Extension")[int(request.seed or 0) % 2]
    return said.replace("Logic Reversion", strategy)
