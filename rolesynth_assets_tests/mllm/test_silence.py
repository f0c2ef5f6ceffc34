"""A server that takes requests and answers none is named, and one slow request is not it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from contextlib import ExitStack
from threading import Thread

import pytest

from rolesynth_assets.cads.collective.member import Member
from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    Sampling,
)
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault, UnansweredFault
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.openai.silence import Silence
from rolesynth_assets.mllm.settings import EngineSettings, SettingNames
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time

QUICK = Backoff(initial_s=0.001, ceiling_s=0.002)


def ask(server: StubServer, prompts: str, backoff: Backoff = QUICK, **settings) -> list[ChatReply]:
    values = {"timeout_s": 0.3, "max_silence_s": 0.5, "max_retries": 50, "concurrency": 1}
    engine = OpenAIEngine(
        EngineSettings(engine="openai", model="stub", base_url=server.url, **values | settings),
        backoff,
    )
    requests = [ChatRequest(p, "s", p, Sampling(0.0, 1.0, 8), seed=1) for p in prompts]

    async def run() -> list[ChatReply]:
        return [reply async for reply in engine.complete(requests)]

    return asyncio.run(run())


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("drip"), Fault("status", 504)])
def test_a_hanging_server_is_named_with_what_to_set(fault):
    with StubServer(faults=every_time(fault)) as server:
        with pytest.raises(EngineError, match="has not answered any request") as caught:
            # pauses so long that the silence ends before the retries do, however fast the machine
            ask(server, "a", Backoff(initial_s=0.1, ceiling_s=0.1), max_retries=100, timeout_s=0.2)
        assert len(server.requests) < 100
    for name in ("ROLESYNTH_CONCURRENCY", "ROLESYNTH_TIMEOUT_S", "ROLESYNTH_MAX_SILENCE_S"):
        assert name in str(caught.value)


def test_one_request_that_hangs_is_given_up_and_the_others_go_on():
    def hang(request):
        return Fault("hang") if request.text == "b" else None

    with StubServer(faults=hang) as server:
        replies = ask(server, "abc")
    assert [reply.reason for reply in replies] == [None, FailureReason.TIMEOUT, None]


def test_a_server_that_hangs_after_answers_is_named_at_its_second_request():
    def hang(request):
        return Fault("hang") if request.text != "a" else None

    with StubServer(faults=hang) as server:
        with pytest.raises(EngineError, match="has not answered"):
            ask(server, "abcdef")
        assert {request.text for request in server.requests} == {"a", "b", "c"}


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize(
    "settings",
    [
        EngineSettings(),
        Member(name="m", model="m", engine="openai", base_url="http://127.0.0.1:1/v1"),
        RendererSettings(),
    ],
)
def test_defaults_name_a_hanging_server_within_five_minutes(settings, in_flight, proven):
    """Requests time out, wait a second and are sent again; one that is given up has a successor."""
    clock = [0.0]
    faults = FaultReader("http://127.0.0.1:1/v1", "m", None, SettingNames())
    silence = Silence(settings.max_silence_s, faults, lambda: clock[0])
    clock[0] += 10_000  # idle time is no silence
    if proven:
        silence.heard()
    began = clock[0]
    fault = RetryableFault(FailureReason.TIMEOUT, "slow")
    with pytest.raises(EngineError, match="has not answered"), ExitStack() as waiting:
        for _ in range(in_flight):
            waiting.enter_context(silence.waiting())
        while True:
            clock[0] += settings.timeout_s + 1
            try:
                silence.check(fault)
            except UnansweredFault:
                assert proven and in_flight == 1
                waiting.close()
                waiting.enter_context(silence.waiting())
    assert clock[0] - began < 300


def test_a_list_of_models_whose_headers_never_end_is_given_up_in_time():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=_drip_headers, args=(listening,), daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        engine = OpenAIEngine(
            EngineSettings(engine="openai", model="m", base_url=url, timeout_s=0.4, max_retries=1),
            Backoff(initial_s=0.001, ceiling_s=0.002),
        )
        with pytest.raises(EngineError, match="does not report which models"):
            _ = engine.identity


def _drip_headers(listening: socket.socket) -> None:
    """Send a header a byte at a time, to each client, for as long as it stays."""

    def drip(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(600):
                time.sleep(0.05)
                client.sendall(b"a")

    with contextlib.suppress(OSError):
        while True:
            client, _ = listening.accept()
            Thread(target=drip, args=(client,), daemon=True).start()
