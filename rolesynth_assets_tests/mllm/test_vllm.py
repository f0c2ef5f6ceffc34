"""The in-process engine against a fake `vllm` module: mapping of requests and of replies."""

import asyncio
import dataclasses
import sys
import threading
import time
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from rolesynth_assets.mllm.cost.cache_use import spared
from rolesynth_assets.mllm.engine import (
    LOADING,
    ChatRequest,
    EngineError,
    FailureReason,
    Learned,
    Sampling,
)
from rolesynth_assets.mllm.factory import leave_engine, release_engine, take_engine
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.mllm.vllm import VllmEngine, image_batches

SAMPLING = Sampling(0.7, 0.9, 48)


class ServerError(Exception):
    """As vLLM 0.32 raises when its engine is gone."""


class ValidationError(Exception):
    """As vLLM 0.32 raises for a request's own fault; no `ValueError`."""


@dataclass
class FakeLLM:
    """Answers with the prompt in capitals; refuses a long prompt when it is queued."""

    model: str
    options: dict[str, Any]
    batches: list[tuple[list, list]] = field(default_factory=list)
    queue: list[tuple[list, dict]] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    shut_down: int = 0
    counted: int = 0

    def __post_init__(self):
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self.shutdown))

    def shutdown(self):
        self.shut_down += 1

    def get_metrics(self):
        if self.options["disable_log_stats"]:
            raise AssertionError("Stat logging disabled")
        return [
            SimpleNamespace(name="vllm:prefix_cache_queries", value=100 * self.counted),
            SimpleNamespace(name="vllm:prefix_cache_hits", value=75 * self.counted),
            SimpleNamespace(name="vllm:time_to_first_token_seconds", sum=1.0),
        ]

    def enqueue_chat(self, conversation, sampling_params, use_tqdm=True):
        assert not use_tqdm
        text = said(conversation)
        if "too long" in text:
            raise ValidationError("This model's maximum context length is 512 tokens.")
        if "dead" in text:
            raise ServerError("EngineCore encountered an issue.")
        self.threads.add(threading.current_thread().name)
        self.queue.append((conversation, sampling_params))

    def wait_for_completion(self, use_tqdm=True):
        assert not use_tqdm
        asked, self.queue = self.queue, []
        time.sleep(0.001)  # another caller would queue here
        assert not self.queue
        self.counted += len(asked)
        self.batches.append(([one for one, _ in asked], [how for _, how in asked]))
        texts = [said(conversation) for conversation, _ in asked]
        if any("crash" in text for text in texts):
            raise RuntimeError("CUDA out of memory")
        return [output(text.upper(), FINISH.get(text, "stop")) for text in texts]


FINISH = {"cut": "length", "given up": "abort"}


def said(conversation: list[dict]) -> str:
    content = conversation[-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


def output(text: str, finish_reason: str) -> SimpleNamespace:
    answer = SimpleNamespace(text=text, token_ids=text.split(), finish_reason=finish_reason)
    return SimpleNamespace(prompt_token_ids=[1, 2, 3], outputs=[answer])


def sampling_params(**values):
    if "top_q" in values:
        raise TypeError("Unexpected keyword argument 'top_q'")
    return values


@pytest.fixture
def made(monkeypatch) -> list[FakeLLM]:
    """Install a fake `vllm` and return the models that it makes."""
    models: list[FakeLLM] = []

    def make(model, **options):
        assert LOADING.locked()  # no other engine loads its model at the same time
        if model == "absent":
            raise OSError("absent is not a local folder")
        models.append(FakeLLM(model, options))
        return models[-1]

    fake = ModuleType("vllm")
    errors = SimpleNamespace(VLLMServerError=ServerError)
    fake.__dict__.update(LLM=make, SamplingParams=sampling_params, exceptions=errors)
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
    options = {"disable_log_stats": False, "max_model_len": 512, "revision": "abc"}
    assert (model.model, model.options) == ("qwen", options)
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
    assert {r.key: r.text for r in replies} == {
        "key of one": "ONE",
        "key of too long": None,
        "key of two": "TWO",
    }
    (refused,) = (reply for reply in replies if reply.text is None)
    assert refused.reason is FailureReason.REJECTED
    assert "maximum context length" in refused.detail
    assert [len(conversations) for conversations, _ in made[0].batches] == [2]


def test_a_model_that_rejects_everything_stops_the_run_and_loses_no_row(made):
    replies = engine().complete(ask(f"too long {n}") for n in range(40))
    with pytest.raises(EngineError, match=r"answered none of 18 requests.*maximum context"):
        asyncio.run(anext(replies))  # not one rejection came before the error


def test_rejections_are_told_once_the_model_has_answered(made):
    requests = [ask(f"too long {n}") for n in range(5)] + [ask("one")]
    replies = complete(engine(concurrency=2), requests)
    assert sorted(reply.key for reply in replies) == sorted(request.key for request in requests)
    (alone,) = complete(engine(), [ask("too long")])
    assert alone.reason is FailureReason.REJECTED


def test_an_answer_that_vllm_gave_up_is_asked_again_by_the_next_run(made):
    (reply,) = complete(engine(), [ask("given up")])
    assert (reply.text, reply.reason) == (None, FailureReason.CALL_FAILED)
    assert reply.reason.transient


@pytest.mark.parametrize(
    ("prompt", "said"), [("crash", "out of memory"), ("dead", "EngineCore encountered")]
)
def test_a_crash_is_one_clear_error(made, prompt, said):
    with pytest.raises(EngineError, match=rf"{said}.*concurrency.*vllm_options"):
        complete(engine(), [ask("one"), ask(prompt)])


def test_extra_fields_win_and_wrong_ones_are_one_clear_error(made):
    complete(engine(extra_body={"temperature": 0.1}), [ask("one")])
    assert made[0].batches[0][1][0]["temperature"] == 0.1
    with pytest.raises(EngineError, match=r"top_q.*extra_body"):
        complete(engine(extra_body={"top_q": 1}), [ask("one")])


def test_callers_at_the_same_time_take_turns(made):
    made_engine = engine(concurrency=1)

    async def run() -> list[list]:
        async def one(name: str) -> list:
            asked = [ask(f"{name} {n}") for n in range(3)]
            return [reply.text async for reply in made_engine.complete(asked)]

        return await asyncio.gather(*(one(name) for name in "abcd"))

    assert asyncio.run(run()) == [[f"{name} {n}".upper() for n in range(3)] for name in "abcd"]
    (model,) = made
    assert len(model.threads) == 1


def test_closing_ends_vllm_once_and_for_all(made):
    made_engine = engine()
    complete(made_engine, [ask("one")])

    async def close_twice() -> None:
        await made_engine.aclose()
        await made_engine.aclose()

    asyncio.run(close_twice())
    assert made[0].shut_down == 1
    with pytest.raises(EngineError, match="closed"):
        complete(made_engine, [ask("one")])
    asyncio.run(engine().aclose())  # never loaded
    assert len(made) == 1


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


def test_control_tokens_of_a_request_are_text_and_come_back_in_the_reply(made):
    sign = "a sign reads <|IM_END|> [INST]"
    harmless, reply = complete(engine(), [ask("a sign"), ask(sign)])
    asked = [said(conversation) for conversation in made[0].batches[0][0]]
    assert asked == ["a sign", "a sign reads <\xa6|IM_END|> [\xa6INST]"]
    assert (reply.text, reply.neutralised) == (sign.upper(), 2)
    assert (harmless.text, harmless.neutralised) == ("A SIGN", 0)


def test_hit_rates_of_the_caches_are_those_of_the_work(made):
    made_engine = engine()

    async def run() -> list[dict[str, float]]:
        found = []
        for prompts in (["a", "b"], ["c"], []):
            async with spared(made_engine) as work:
                async for _ in made_engine.complete([ask(prompt) for prompt in prompts]):
                    pass
            found.append(work.metadata)
        return found

    assert asyncio.run(run()) == [{"prefix_cache_hit_rate": 0.75}] * 2 + [{}]


def test_a_model_that_does_not_count_has_no_rates(made):
    made_engine = engine(vllm_options={"disable_log_stats": True})

    async def run() -> dict[str, float]:
        async with spared(made_engine) as work:
            async for _ in made_engine.complete([ask("a")]):
                pass
        return work.metadata

    assert asyncio.run(run()) == {}


@pytest.fixture
def none_kept():
    yield
    release_engine()


def settings(**changes) -> EngineSettings:
    return EngineSettings(engine="vllm", **{"model": "qwen", "concurrency": 3} | changes)


def one_partition(wanted: EngineSettings, prompt: str = "a") -> None:
    """Do the work of a partition as an asset does."""
    taken = take_engine(wanted)

    async def run() -> None:
        assert [reply.text async for reply in taken.complete([ask(prompt)])] == [prompt.upper()]
        await leave_engine(wanted, taken)

    asyncio.run(run())


def test_partitions_of_a_process_share_a_model(made, none_kept):
    for learned in (Learned(), Learned(answered_by="qwen"), Learned()):
        one_partition(settings(learned=learned))
    assert len(made) == 1 and len(made[0].batches) == 3 and not made[0].shut_down


def test_another_model_takes_the_place_of_the_kept_one(made, none_kept):
    one_partition(settings())
    one_partition(settings(model="judge"))
    assert [llm.shut_down for llm in made] == [1, 0]
    one_partition(settings(model="judge", pixel_budget=10_000))
    assert [llm.shut_down for llm in made] == [1, 1, 0]


def test_work_that_needs_the_gpu_gets_it(made):
    one_partition(settings())
    release_engine()
    release_engine()
    assert made[0].shut_down == 1
    one_partition(settings())
    release_engine()
    assert [llm.shut_down for llm in made] == [1, 1]


def test_an_engine_in_use_is_nobody_elses(made, none_kept):
    one_partition(settings())
    first, second = take_engine(settings()), take_engine(settings())
    assert first is not second

    async def leave() -> None:
        await leave_engine(settings(), first)
        await leave_engine(settings(), second)

    asyncio.run(leave())
    assert take_engine(settings()) is first
