"""Several servers of one model: who gets which request, and what happens when one dies."""

import asyncio
import dataclasses
import io
import logging

import pytest
from PIL import Image

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.fleet import endpoint as endpoints
from rolesynth_assets.mllm.openai.fleet import fleet as fleets
from rolesynth_assets.mllm.openai.fleet.endpoint import Endpoint
from rolesynth_assets.mllm.openai.fleet.fleet import Fleet
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.openai.asking import FAST, REQUEST, ask, numbered
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time

NOWHERE = "http://127.0.0.1:9/v1"
REFUSES = every_time(Fault("status", 500))


def fleet(*servers: StubServer | str, **changes) -> OpenAIEngine:
    urls = ",".join(s if isinstance(s, str) else s.url for s in servers)
    values = {"timeout_s": 5, "max_retries": 3, "concurrency": 4, "model": "stub"} | changes
    return OpenAIEngine(EngineSettings(engine="openai", base_url=urls, **values), FAST)


def of_images(images: int, each: int) -> list:
    """Requests about several pictures, those of a picture one after the other."""
    made = []
    for image in range(images):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (image, 0, 0)).save(buffer, "PNG")
        picture = buffer.getvalue()
        made += [
            dataclasses.replace(
                REQUEST, key=f"{image}-{n}", prompt=f"{image}-{n}", images=(picture,)
            )
            for n in range(each)
        ]
    return made


def texts(server: StubServer) -> set[str]:
    return {request.text for request in server.requests}


def test_all_requests_of_an_image_meet_one_server_and_both_work():
    with StubServer(delay_s=0.02) as one, StubServer(delay_s=0.02) as two:
        replies = ask(fleet(one, two, concurrency=3), *of_images(12, 5))
    assert all(reply.reason is None for reply in replies) and len(replies) == 60
    met = [{text.partition("-")[0] for text in texts(server)} for server in (one, two)]
    assert met[0].isdisjoint(met[1])
    assert all(met)


def test_a_slow_server_gets_less_and_each_has_its_own_bound():
    with StubServer(delay_s=0.4) as slow, StubServer(delay_s=0.02) as fast:
        replies = ask(fleet(slow, fast, concurrency=2), *numbered(60))
    assert len(replies) == 60
    assert 0 < len(slow.requests) < len(fast.requests) / 2
    assert slow.max_in_flight <= 2 and fast.max_in_flight <= 2


@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("drop")])
@pytest.mark.parametrize("max_retries", [0, 3])
def test_the_requests_of_a_server_that_dies_go_to_another(fault, max_retries, caplog):
    with StubServer(delay_s=0.01) as good, StubServer(delay_s=0.01) as dies:
        dies.faults = lambda request: fault if request.ordinal >= 5 else None
        engine = fleet(good, dies, concurrency=2, max_retries=max_retries)
        replies = ask(engine, *of_images(20, 3))
    unanswered = [reply for reply in replies if reply.reason is not None]
    # without retries, the failures by which it is known to be dead are final
    assert len(unanswered) <= (0 if max_retries else endpoints.FAILURES_IN_A_ROW - 1)
    assert len(replies) == 60
    assert f"{dies.url} gets no requests" in caplog.text
    assert len(dies.requests) < 20


def test_a_server_that_refuses_connections_is_left_out_from_the_beginning(caplog):
    with StubServer() as server:
        engine = fleet(NOWHERE, server, max_retries=0)
        assert engine.identity.revision == "unknown"
        replies = ask(engine, *numbered(20))
    assert all(reply.reason is None for reply in replies)
    assert "No server answers at http://127.0.0.1:9/v1" in caplog.text


def test_a_server_comes_back_after_it_was_looked_at(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "rolesynth")
    monkeypatch.setattr(endpoints, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(fleets, "LOG_AT_AN_END_S", 0.0)
    with StubServer(delay_s=0.05) as good, StubServer(delay_s=0.05) as ill:
        ill.faults = lambda request: Fault("status", 500) if request.ordinal < 3 else None
        engine = fleet(good, ill, concurrency=1)
        replies = ask(engine, *numbered(60))
    assert all(reply.reason is None for reply in replies)
    assert f"{ill.url} answers again and gets requests" in caplog.text
    assert len(ill.requests) > 4
    assert f"{good.url} " in caplog.text.splitlines()[-1]  # rate and concurrency at the end
    assert "1 at once" in caplog.text.splitlines()[-1]


def test_a_server_that_comes_back_with_another_model_stays_out(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "rolesynth")
    monkeypatch.setattr(endpoints, "FIRST_PAUSE_S", 0.05)
    with StubServer(delay_s=0.03) as good, StubServer(delay_s=0.03) as ill:
        engine = fleet(good, ill, concurrency=1)
        assert engine.identity.model == "stub"
        ill.models, ill.faults = ({"id": "another", "object": "model"},), REFUSES
        replies = ask(engine, *numbered(40))
    assert all(reply.reason is None for reply in replies)
    assert "it would answer for another model" in caplog.text
    assert "answers again and gets requests" not in caplog.text


def test_servers_of_different_models_are_refused_by_name():
    other = ({"id": "another", "object": "model"},)
    with StubServer() as one, StubServer(models=other) as two:
        with pytest.raises(EngineError, match="do not serve the same model 'stub'") as told:
            _ = fleet(one, two).identity
        with pytest.raises(EngineError, match="the second does not list it"):
            _ = fleet(one, two, revision="v1").identity
    assert one.url in str(told.value) and two.url in str(told.value)
    assert not one.requests and not two.requests


def test_servers_of_different_revisions_are_refused_unless_the_user_names_one():
    def serving(root: str) -> StubServer:
        return StubServer(models=({"id": "stub", "object": "model", "root": root},))

    with serving("v1") as one, serving("v2") as two:
        with pytest.raises(EngineError, match="the revisions are 'v1' and 'v2'"):
            _ = fleet(one, two).identity
        assert fleet(one, two, revision="mine").identity.revision == "mine"
    with serving("v1") as one, serving("v1") as two:
        assert fleet(one, two).identity.revision == "v1"


def test_if_all_are_dead_the_error_is_that_of_one_server():
    with pytest.raises(EngineError, match=f"No server answers at {NOWHERE}"):
        _ = fleet(NOWHERE, "http://127.0.0.1:10/v1").identity
    with StubServer(faults=REFUSES) as one, StubServer(faults=REFUSES) as two:
        with pytest.raises(EngineError, match="requests in a row failed at"):
            ask(fleet(one, two, concurrency=1, max_retries=0), *numbered(40))


def test_a_server_that_refuses_the_key_is_left_to_the_others(caplog):
    with StubServer(api_key="right") as one, StubServer() as two:
        two.faults = lambda request: Fault("status", 401) if request.ordinal >= 2 else None
        replies = ask(fleet(one, two, api_key="right"), *numbered(30))
    assert all(reply.reason is None for reply in replies)
    assert "refuses the key" in caplog.text


def test_what_one_server_refuses_is_sent_to_none():
    refusal = Fault("status", 400, body='{"error": {"message": "unknown parameter: seed"}}')
    with StubServer(delay_s=0.01) as plain, StubServer(delay_s=0.01) as strict:
        strict.faults = lambda request: refusal if "seed" in request.payload else None
        engine = fleet(plain, strict, concurrency=1)
        replies = ask(engine, *numbered(20))
    assert all(reply.reason is None for reply in replies)
    assert engine.learned.left_out == ("seed",)
    assert "seed" not in plain.payloads[-1] and "seed" not in strict.payloads[-1]


def test_a_place_is_passed_on_when_its_holder_leaves_or_is_cancelled():
    async def run() -> list[str]:
        settings = EngineSettings(engine="openai", model="m", base_url=NOWHERE, concurrency=1)
        only, seen = Fleet([Endpoint(settings, NOWHERE, "m", None)]), []

        async def take(name: str) -> None:
            async with only.slot(()):
                seen.append(name)
                await asyncio.sleep(0)

        async with only.slot(()):
            waiting = [asyncio.create_task(take(name)) for name in "abc"]
            await asyncio.sleep(0)
            waiting[0].cancel()
        waiting[1].cancel()  # it has just got the place
        await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        return seen

    assert asyncio.run(run()) == ["c"]


def test_addresses_are_read_one_by_one(monkeypatch):
    settings = EngineSettings(base_url=" http://one/v1/ , https://two:8/v1")
    assert settings.base_urls == ("http://one/v1", "https://two:8/v1")
    for wrong in ("http://one/v1,", "http://one/v1,http://one/v1/", "http://one/v1,two"):
        with pytest.raises(ValueError, match="must"):
            EngineSettings(base_url=wrong)


def test_openais_key_is_sent_to_openai_alone():
    own = "https://api.openai.com/v1"
    environ = {
        "ROLESYNTH_ENGINE": "openai",
        "ROLESYNTH_MODEL": "m",
        "OPENAI_API_KEY": "secret",
    }
    assert EngineSettings.from_env(environ={**environ, "ROLESYNTH_BASE_URL": own}).api_key
    several = {**environ, "ROLESYNTH_BASE_URL": f"{own},https://other.example/v1"}
    assert EngineSettings.from_env(environ=several).api_key is None
