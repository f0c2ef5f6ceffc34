"""The in-process engine against a fake `vllm` module: mapping of requests and of replies."""

import asyncio
import dataclasses
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rolesynth_assets.mllm.engine import ChatRequest, EngineError, FailureReason, Sampling
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.mllm.vllm import VllmEngine, image_batches

SAMPLING = Sampling(0.7, 0.9, 48)


@dataclass
class FakeLLM:
    """Answers with the prompt in capitals; refuses a whole batch for one long prompt."""

    model: str
    options: dict[str, Any]
    batches: list[tuple[list, list]] = field(default_factory=list)

    def chat(self, conversations, sampling_params, use_tqdm=True):
        assert not use_tqdm
        self.batches.append((conversations, sampling_params))
        texts = [messages[-1]["content"] for messages in conversations]
        texts = [text if isinstance(text, str) else text[-1]["text"] for text in texts]
        if any("too long" in text for text in texts):
            raise ValueError("the prompt is longer than the maximum model length")
        if any("crash" in text for text in texts):
            raise RuntimeError("CUDA out of memory")
        return [output(text.upper(), "length" if "cut" in text else "stop") for text in texts]


def output(text: str, finish_reason: str) -> SimpleNamespace:
    answer = SimpleNamespace(text=text, token_ids=text.split(), finish_reason=finish_reason)
    return SimpleNamespace(prompt_token_ids=[1, 2, 3], outputs=[answer])


@pytest.fixture
def made(monkeypatch) -> list[FakeLLM]:
    """Install a fake `vllm` and return the models that it makes."""
    models: list[FakeLLM] = []

    def make(model, **options):
        if model == "absent":
            raise OSError("absent is not a local folder")
        models.append(FakeLLM(model, options))
        return models[-1]

    fake = ModuleType("vllm")
    fake.__dict__.update(LLM=make, SamplingParams=lambda **values: values)
    sampling = ModuleType("vllm.sampling_params")
    sampling.__dict__.update(StructuredOutputsParams=lambda **values: values)
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", sampling)
    return models


def engine(**changes) -> VllmEngine:
    values: dict[str, Any] = {"model": "qwen", "concurrency": 3} | changes
    return VllmEngine(EngineSettings(engine="vllm", **values))


def ask(prompt: str, seed: int = 0, images: tuple[bytes, ...] = ()) -> ChatRequest:
    return ChatRequest(f"key of {prompt}", "shared", prompt, SAMPLING, seed, images)


def complete(made_engine: VllmEngine, requests) -> list:
    async def run() -> list:
        return [reply async for reply in made_engine.complete(requests)]

    return asyncio.run(run())


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(EngineError, match=r"rolesynth-assets\[vllm\].*ROLESYNTH_ENGINE=openai"):
        engine()


def test_requests_and_replies_are_mapped(made, picture):
    image = picture()
    made_engine = engine(
        revision="abc", vllm_options={"max_model_len": 512}, extra_body={"top_k": 20}
    )
    requests = [ask("one", 1, (image,)), ask("cut", 2, (image,)), ask("broken", 3, (b"none",))]
    replies = {reply.key: reply for reply in complete(made_engine, requests)}
    assert replies["key of one"].text == "ONE"
    assert replies["key of one"].prompt_tokens == 3
    assert replies["key of one"].latency_s > 0
    assert replies["key of cut"].reason is FailureReason.TRUNCATED
    assert replies["key of cut"].detail == "CUT"
    assert replies["key of broken"].reason is FailureReason.REJECTED
    (model,) = made
    assert (model.model, model.options) == ("qwen", {"max_model_len": 512, "revision": "abc"})
    ((conversations, sampling),) = model.batches
    assert [[part["type"] for part in c[-1]["content"]] for c in conversations] == [
        ["image_url", "text"]
    ] * 2
    assert sampling == [
        {"temperature": 0.7, "top_p": 0.9, "max_tokens": 48, "seed": seed, "top_k": 20}
        for seed in (1, 2)
    ]


def test_json_mode_guides_the_decoding_of_those_that_ask_for_it(made):
    asked = [dataclasses.replace(ask("one"), json_mode=True), ask("two")]
    complete(engine(extra_body={"top_k": 20}), asked)
    ((_, sampling),) = made[0].batches
    assert sampling[0] == sampling[1] | {"structured_outputs": {"json_object": True}}


def test_one_bad_prompt_does_not_spoil_its_batch(made):
    replies = complete(engine(), [ask("one"), ask("too long"), ask("two")])
    assert [reply.text for reply in replies] == ["ONE", None, "TWO"]
    assert replies[1].reason is FailureReason.REJECTED
    assert "maximum model length" in replies[1].detail


def test_a_crash_is_one_clear_error(made):
    with pytest.raises(EngineError, match=r"out of memory.*ROLESYNTH_CONCURRENCY"):
        complete(engine(), [ask("crash")])


def test_a_model_that_cannot_be_loaded_is_one_clear_error(made):
    with pytest.raises(EngineError, match=r"absent is not a local folder.*ROLESYNTH_MODEL"):
        complete(engine(model="absent"), [ask("one")])


def test_identity_loads_nothing(made):
    commit = "0123456789" * 4
    assert engine().identity.revision == "unknown"
    assert engine(revision="abc").identity.revision == "abc"
    assert engine(model=f"/cache/snapshots/{commit}").identity.revision == commit
    assert made == []


def test_batches_never_part_an_image():
    images = [bytes([n]) for n in range(5)]
    requests = [
        ask(f"{n}-{role}", 0, (image,)) for n, image in enumerate(images) for role in "abcd"
    ]
    batches = list(image_batches(requests, 6))
    assert [len(batch) for batch in batches] == [8, 8, 4]
    assert [r for batch in batches for r in batch] == requests
    assert [len(b) for b in image_batches([ask(str(n)) for n in range(7)], 3)] == [3, 3, 1]
