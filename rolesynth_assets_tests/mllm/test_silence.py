"""A server that takes requests and answers none is named, and one slow request is not it."""

from __future__ import annotations

import asyncio

import pytest

from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    Sampling,
)
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.faults import Backoff
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time


def ask(server: StubServer, prompts: str, **settings) -> list[ChatReply]:
    values = {"timeout_s": 0.3, "max_silence_s": 0.5, "max_retries": 50, "concurrency": 1}
    engine = OpenAIEngine(
        EngineSettings(engine="openai", model="stub", base_url=server.url, **values | settings),
        Backoff(initial_s=0.001, ceiling_s=0.002),
    )
    requests = [ChatRequest(p, "s", p, Sampling(0.0, 1.0, 8), seed=1) for p in prompts]

    async def run() -> list[ChatReply]:
        return [reply async for reply in engine.complete(requests)]

    return asyncio.run(run())


@pytest.mark.parametrize("fault", [Fault("hang"), Fault("drip"), Fault("status", 504)])
def test_a_hanging_server_is_named_with_what_to_set(fault):
    with StubServer(faults=every_time(fault)) as server:
        with pytest.raises(EngineError, match="has not answered any request") as caught:
            ask(server, "a", max_retries=100, timeout_s=0.2)
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


def test_defaults_name_a_hanging_server_within_five_minutes():
    settings = EngineSettings()
    attempts = -(-settings.max_silence_s // settings.timeout_s)
    waits = attempts * 2  # seconds of backoff before the second attempt, with jitter
    assert attempts * settings.timeout_s + waits < 300
