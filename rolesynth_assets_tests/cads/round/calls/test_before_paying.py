"""Before a round pays for anything, each of its members shows that it can do its tasks."""

from pathlib import Path

import pytest

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.drawing import factory
from rolesynth_assets.cads.records import RoundOutcome
from rolesynth_assets.cads.round.calls.before_paying import is_shown_images
from rolesynth_assets.cads.round.stored_round import Place, make_round
from rolesynth_assets.cads.seeds.rows import seed_rows
from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.preflight import check
from rolesynth_assets.store.lance.store import Store
from rolesynth_assets_tests.cads.simulated import (
    PlainRenderer,
    SimulatedMember,
    asked_over_the_wire,
    seeds,
    step_of,
)
from rolesynth_assets_tests.mllm.seeing import describe_card
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer

NAMES = ("ada", "ben", "cleo")
PROBES = ("which colour", "primary colour")


def answer(asked: StubRequest) -> str:
    if said := describe_card(asked):
        return said
    request = asked_over_the_wire(asked)
    return SimulatedMember(asked.payload["model"], 3).answer(step_of(request), request)


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(check, "_passed", {})
    monkeypatch.setattr(factory, "make_renderer", lambda settings, environ: PlainRenderer())


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "data")
    store.replace("seeds", {"domain": "dots"}, seed_rows(seeds(2)))
    return store


def of(server: StubServer, **third: object) -> Collective:
    served = {"engine": "openai", "base_url": server.url, "revision": "1", "max_retries": 0}
    members = [{"name": name, "model": name, **served} for name in NAMES]
    members[2] |= third
    return Collective.model_validate({"name": "served", "members": members})


def play(store: Store, collective: Collective, run: str = "run") -> RoundOutcome:
    place = Place("dots", "2026-01-04", None, run)
    journal = Path(store.root) / "journal.sqlite"
    return make_round(store, collective, {}, journal, place, {})[0]


def probed(server: StubServer) -> list[str]:
    return [r.payload["model"] for r in server.requests if any(p in r.text for p in PROBES)]


def serve(**options) -> StubServer:
    return StubServer(answer, models=[{"id": name, "object": "model"} for name in NAMES], **options)


def test_all_members_are_tried_before_the_first_call_and_counted(store):
    with serve() as server:
        outcome = play(store, of(server))
        first = [r for r in server.requests[:6] if "which colour" in r.text]
        assert len(first) == 6 and sorted(probed(server)) == sorted(NAMES * 2)
        assert sum(usage.calls for usage in outcome.usage.values()) == len(server.requests)
        asked = len(server.requests)
        check._passed.clear()
        again = play(store, of(server), "next")  # everything is in the journal
        assert len(server.requests) == asked and again.candidates == outcome.candidates


def test_a_member_that_does_not_look_stops_the_round_before_it_is_paid(store):
    def blind(asked: StubRequest) -> str:
        return "A lovely picture." if asked.payload["model"] == "cleo" else answer(asked)

    with serve() as server:
        server.answer = blind
        with pytest.raises(EngineError) as caught:
            play(store, of(server))
        for words in ("'cleo' at", "a blue card alike", "`preflight` of member 'cleo'"):
            assert words in str(caught.value)
        assert len(probed(server)) == len(server.requests) and store.count("candidates") == 0
        assert play(store, of(server, preflight=False)).candidates


def test_what_a_members_server_refuses_is_known_before_it_is_paid(store):
    refuses = Fault("status", 400, '{"error": "System role not supported"}')

    def fault(asked: StubRequest) -> Fault | None:
        system = asked.payload["messages"][0]["role"] == "system"
        return refuses if system and asked.payload["model"] == "ben" else None

    def unfolded(asked: StubRequest) -> str:
        return describe_card(asked) or "{}"

    with serve(faults=fault) as server:
        server.answer = unfolded
        play(store, of(server))
        refused = [r for r in server.requests if fault(r)]
        assert 1 <= len(refused) <= 2 and all("colour" in r.text for r in refused)


def test_a_member_that_sees_nothing_is_asked_a_plain_question(store):
    with serve() as server:
        play(store, of(server, image_mode="text_only"))
        assert sorted(probed(server)) == ["ada", "ada", "ben", "ben", "cleo"]


def test_who_is_shown_images():
    members = [{"name": name, "engine": "vllm", "model": name} for name in (*NAMES, "dan")]
    members[1] |= {"image_mode": "caption", "transcriber": "dan"}
    collective = Collective.model_validate(
        {
            **{"name": "c", "members": members, "writers": ["ada"], "judges": ["ben"]},
            **{"optimiser": "ben", "equaliser": "cleo"},
        }
    )
    assert collective.employed == ("ada", "ben", "cleo", "dan")
    shown = {
        illustrated: [n for n in collective.employed if is_shown_images(collective, n, illustrated)]
        for illustrated in (False, True)
    }
    assert shown == {False: ["dan"], True: ["ada", "dan"]}
