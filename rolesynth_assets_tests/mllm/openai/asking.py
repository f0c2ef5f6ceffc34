"""Requests to a stub server, by an engine that waits only milliseconds between attempts."""

import asyncio
import dataclasses

import pytest

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, EngineError, Sampling
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import Fault, Faults, StubServer, every_time

FAST = Backoff(initial_s=0.001, ceiling_s=0.002, retry_after_cap_s=0.2)
REQUEST = ChatRequest(
    key="one",
    system="You describe images.",
    prompt="Describe it.",
    sampling=Sampling(temperature=0.7, top_p=0.9, max_tokens=48),
    seed=7,
)


def make(server: StubServer | str, **changes) -> OpenAIEngine:
    url = server if isinstance(server, str) else server.url
    values = {"timeout_s": 5, "max_retries": 3, "concurrency": 4, "model": "stub"} | changes
    return OpenAIEngine(EngineSettings(engine="openai", base_url=url, **values), FAST)


def ask(engine: OpenAIEngine, *requests: ChatRequest) -> list[ChatReply]:
    async def run() -> list[ChatReply]:
        return [reply async for reply in engine.complete(requests or [REQUEST])]

    return asyncio.run(run())


def ask_with(faults: Faults, **changes) -> tuple[ChatReply, StubServer]:
    with StubServer(faults=faults) as server:
        (reply,) = ask(make(server, **changes))
    return reply, server


def numbered(count: int) -> list[ChatRequest]:
    return [
        dataclasses.replace(REQUEST, key=f"key-{index}", prompt=f"prompt {index}")
        for index in range(count)
    ]


def stops_at_once(fault: Fault, said: str) -> None:
    """Assert that one request with this fault ends a run of many, with an error that says so."""
    with StubServer(faults=every_time(fault)) as server:
        with pytest.raises(EngineError, match=said):
            ask(make(server, concurrency=1), *numbered(50))
    assert len(server.requests) == 1
