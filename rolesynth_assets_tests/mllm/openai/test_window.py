"""The number of requests at once follows what the server bears."""

import asyncio
import dataclasses
import logging
import time

import pytest

from rolesynth_assets.mllm.engine import ChatRequest, EngineError, Sampling
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.openai.window import Pace, Window, pace_of
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer, every_time

FAST = Backoff(initial_s=0.001, ceiling_s=0.002)
REQUEST = ChatRequest("k", "", "look", Sampling(0, 1, 8), 0)


def make(server: StubServer, **changes) -> OpenAIEngine:
    values = {"timeout_s": 5, "max_retries": 50, "concurrency": 16, "model": "stub"} | changes
    return OpenAIEngine(EngineSettings(engine="openai", base_url=server.url, **values), FAST)


def ask(engine: OpenAIEngine, count: int) -> list:
    requests = [dataclasses.replace(REQUEST, key=f"{n}", prompt=f"{n}") for n in range(count)]

    async def run() -> list:
        return [reply async for reply in engine.complete(requests)]

    return asyncio.run(run())


def test_it_halves_once_for_a_burst_and_grows_by_one_a_round():
    window, sent = Window(16, "server", "SETTING"), time.monotonic()
    bounds = [window.bound]
    for _ in range(5):  # a burst: all were sent before the first fault was known
        window.narrow(sent, "429")
        bounds.append(window.bound)
    window.narrow(time.monotonic(), "429")
    bounds.append(window.bound)
    for _ in range(5):
        window.grow()
    bounds.append(window.bound)
    for _ in range(500):
        window.grow()
    assert [*bounds, window.bound] == [16, 8, 8, 8, 8, 8, 4, 5, 16]


def test_the_next_partition_begins_with_what_the_server_bore():
    pace = Pace()
    Window(16, "server", "SETTING", pace).narrow(time.monotonic(), "429", pause_s=60.0)
    following = Window(16, "server", "SETTING", pace)
    assert following.bound == 8 and pace.opens_at > pace.narrowed_at
    assert following.room == 0  # it has been asked to wait
    assert Window(4, "server", "SETTING", pace).bound == 4
    assert Window(64, "server", "SETTING", pace).bound == 8
    for _ in range(4000):
        following.grow()
    assert (following.bound, pace.bound) == (16, 64)


def test_engines_of_one_model_at_one_server_share_a_pace():
    with StubServer(faults=every_time(Fault("status", 429))) as server:
        ask(make(server, max_retries=1, concurrency=8), 1)
        faster = pace_of(server.url, "stub").bound
        assert faster < 8
        server.faults = lambda request: None
        ask(make(server, concurrency=8), 1)
        assert faster <= pace_of(server.url, "stub").bound < 8
        assert pace_of(server.url, "other").bound == 0


def test_it_never_closes():
    window = Window(3, "server", "SETTING")
    for _ in range(9):
        window.narrow(time.monotonic(), "timeout")
    assert (window.bound, window.room) == (1, 1)
    window.enter()
    assert window.room == 0


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_bears_few_at_once_gets_few(status, caplog):
    caplog.set_level(logging.INFO, "rolesynth")

    def only_four(request: StubRequest) -> Fault | None:
        return Fault("status", status) if server.in_flight > 4 else None

    with StubServer(faults=only_four, delay_s=0.15) as server:
        replies = ask(make(server), 40)
    assert all(reply.reason is None for reply in replies)
    assert len(server.requests) < 80
    assert f"is busy (HTTP {status}" in caplog.text
    assert "8 requests at once instead of 16; ROLESYNTH_CONCURRENCY is the most" in caplog.text


def test_timeouts_halve_it_and_answers_let_it_grow_again(caplog):
    caplog.set_level(logging.INFO, "rolesynth")

    def hangs_at_first(request: StubRequest) -> Fault | None:
        return Fault("hang") if request.ordinal < 4 else None

    with StubServer(faults=hangs_at_first) as server:
        replies = ask(make(server, timeout_s=0.3, concurrency=4), 30)
    assert all(reply.reason is None for reply in replies)
    assert "is busy (no complete answer in time): 2 requests at once instead of 4" in caplog.text
    assert "answers again: 4 requests at once" in caplog.text


def test_nobody_sends_while_the_server_asks_to_wait():
    def busy(request: StubRequest) -> Fault | None:
        wait = {"Retry-After": "0.3"}
        return Fault("status", 429, headers=wait) if request.ordinal == 0 else None

    with StubServer(faults=busy) as server:
        ask(make(server, concurrency=1), 5)
    first, *others = server.requests
    assert min(other.arrived for other in others) - first.arrived >= 0.3


def test_the_stop_message_names_the_settings():
    with StubServer(faults=every_time(Fault("status", 429))) as server:
        with pytest.raises(EngineError, match="lower ROLESYNTH_CONCURRENCY or raise ROLESYNTH_TIM"):
            ask(make(server, concurrency=1, max_retries=0), 50)
