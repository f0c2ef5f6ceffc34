"""What is sent, in which order, how many at a time, and how far ahead; and the model's identity."""

import asyncio
import dataclasses
import socket
import time

import pytest

from rolesynth_assets.mllm.engine import ChatRequest, EngineError, Sampling, Turn
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.openai.revision import revision_of
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time

FAST = Backoff(initial_s=0.001, ceiling_s=0.002, retry_after_cap_s=0.2)
SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=48)


def make(url: str, **changes) -> OpenAIEngine:
    values = {"timeout_s": 5, "max_retries": 2, "concurrency": 4, "model": "stub"} | changes
    return OpenAIEngine(EngineSettings(engine="openai", base_url=url, **values), FAST)


def request(index: int, **changes) -> ChatRequest:
    return dataclasses.replace(
        ChatRequest(f"key-{index}", "You describe images.", f"prompt {index}", SAMPLING, index),
        **changes,
    )


async def collect(engine: OpenAIEngine, requests) -> list:
    return [reply async for reply in engine.complete(requests)]


def until(condition, what: str) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited 10 s in vain: {what}"
        time.sleep(0.01)


def test_every_request_has_its_own_seed_and_sampling():
    greedy = Sampling(temperature=0, top_p=1.0, max_tokens=200)
    requests = [request(1, seed=11), request(2, seed=2**31 - 1, sampling=greedy)]
    with StubServer() as server:
        asyncio.run(collect(make(server.url, concurrency=1, extra_body={"top_k": 20}), requests))
    fields = ("model", "seed", "temperature", "top_p", "max_tokens", "top_k")
    assert [[payload[name] for name in fields] for payload in server.payloads] == [
        ["stub", 11, 0.7, 0.9, 48, 20],
        ["stub", 2**31 - 1, 0, 1.0, 200, 20],
    ]


def test_the_wire_has_system_history_images_and_last_the_text(picture):
    turns = (Turn("user", "Hello."), Turn("assistant", "Hi."))
    roles = ["Observer", "Narrator", "Analyst"]
    images = [picture("red"), picture("blue")]
    requests = [
        request(index, prompt=role, images=(image,), history=turns)
        for index, (image, role) in enumerate((i, r) for i in images for r in roles)
    ]
    with StubServer() as server:
        asyncio.run(collect(make(server.url, concurrency=1), requests))
    seen = []
    for payload in server.payloads:
        system, user, assistant, last = payload["messages"]
        assert system == {"role": "system", "content": "You describe images."}
        assert (user, assistant) == (
            {"role": "user", "content": "Hello."},
            {"role": "assistant", "content": "Hi."},
        )
        assert last["role"] == "user"
        image, text = last["content"]
        assert (image["type"], text["type"]) == ("image_url", "text")
        seen.append((image["image_url"]["url"], text["text"]))
    urls = [url for url, _ in seen]
    # An image's requests arrive back to back, byte for byte the same up to the role's text.
    assert [text for _, text in seen] == roles * 2
    assert urls == [urls[0]] * 3 + [urls[3]] * 3
    assert urls[0] != urls[3]


def test_replies_find_their_requests_whatever_the_order():
    with StubServer(answer=lambda chat: f"answer to {chat.text}") as server:
        replies = asyncio.run(collect(make(server.url), [request(i) for i in range(30)]))
    assert {r.key: r.text for r in replies} == {
        f"key-{i}": f"answer to prompt {i}" for i in range(30)
    }


def test_no_more_than_concurrency_are_in_flight():
    with StubServer(delay_s=0.02) as server:
        asyncio.run(collect(make(server.url, concurrency=3), [request(i) for i in range(18)]))
    assert server.max_in_flight == 3
    assert len(server.requests) == 18


def test_requests_are_taken_only_as_they_are_needed():
    taken = 0

    def source():
        nonlocal taken
        for index in range(10_000):
            taken += 1
            yield request(index)

    async def run(engine: OpenAIEngine) -> None:
        replies = engine.complete(source())
        yielded = 0
        async for _ in replies:
            yielded += 1
            assert taken <= yielded + 2 * 4
            if yielded == 20:
                break
        await replies.aclose()

    with StubServer() as server:
        asyncio.run(run(make(server.url, concurrency=4)))
    assert taken <= 28


def test_no_requests_make_no_replies_and_no_call():
    with StubServer() as server:
        assert asyncio.run(collect(make(server.url), [])) == []
    assert server.requests == []


def test_a_fault_of_the_source_reaches_the_consumer():
    def source():
        yield request(1)
        raise OSError("the shard is gone")

    with StubServer() as server, pytest.raises(OSError, match="the shard is gone"):
        asyncio.run(collect(make(server.url), source()))


@pytest.mark.parametrize("how", ["generator", "task", "engine"])
def test_a_consumer_that_leaves_cancels_what_is_in_flight(how):
    def hangs_after_one(chat):
        return Fault("hang") if chat.ordinal else None

    async def run(engine: OpenAIEngine, server: StubServer) -> None:
        replies = engine.complete([request(i) for i in range(20)])
        await anext(replies)
        await asyncio.to_thread(until, lambda: server.in_flight == 3, "three requests in flight")
        if how == "generator":
            await replies.aclose()
            return
        waiting = asyncio.ensure_future(anext(replies))
        await asyncio.sleep(0)
        if how == "task":
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        else:
            await engine.aclose()
            with pytest.raises(EngineError, match="closed while"):
                await waiting
            with pytest.raises(EngineError, match="closed"):
                await anext(engine.complete([request(1)]))

    with StubServer(faults=hangs_after_one) as server:
        asyncio.run(run(make(server.url, timeout_s=60), server))
        until(lambda: server.in_flight == 0, "no request in flight")
    assert server.aborted == len(server.requests) - 1 >= 3
    assert len(server.requests) <= 5


def test_one_engine_serves_several_event_loops():
    with StubServer() as server:
        engine = make(server.url)
        for index in range(3):
            (reply,) = asyncio.run(collect(engine, [request(index)]))
            assert reply.reason is None


@pytest.mark.parametrize(
    ("root", "revision"),
    [
        (None, "unknown"),
        ("stub", "unknown"),
        ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen2.5-VL-7B-Instruct"),
        (f"/cache/models--a--b/snapshots/{'0123456789' * 4}", "0123456789" * 4),
        (f"/elsewhere/models--a--b/snapshots/{'0123456789' * 4}/", "0123456789" * 4),
        ("/models/snapshots/short", "/models/snapshots/short"),
    ],
)
def test_revision_is_what_survives_a_restart(root, revision):
    assert revision_of("stub", root) == revision


def test_identity_is_asked_once_and_ignores_when_the_server_started():
    revisions = set()
    for created in (1, 2):
        cards = [{"id": "other", "root": "x"}, {"id": "stub", "root": "a/b", "created": created}]
        with StubServer(models=cards) as server:
            engine = make(server.url)
            revisions |= {engine.identity.fingerprint(), engine.identity.fingerprint()}
            assert (engine.identity.model, engine.identity.revision) == ("stub", "a/b")
        assert server.model_calls == 1
    assert len(revisions) == 1


@pytest.mark.parametrize("models", [None, [], [{"id": "another"}]])
def test_a_server_that_says_nothing_about_the_model_is_unknown(models):
    with StubServer(models=models) as server:
        assert make(server.url).identity.revision == "unknown"


def test_a_named_revision_is_not_asked():
    with StubServer() as server:
        assert make(server.url, revision="abc").identity.revision == "abc"
    assert server.model_calls == 0


def test_settings_that_change_the_answer_change_the_identity():
    def revision(**changes) -> str:
        return make("http://127.0.0.1:1/v1", revision="abc", **changes).identity.revision

    assert revision() == "abc"
    assert revision(pixel_budget=100_000) == "abc+pixels.100000"
    ordered = revision(extra_body={"top_k": 20, "min_p": 0})
    assert ordered == revision(extra_body={"min_p": 0, "top_k": 20})
    assert ordered.startswith("abc+extra.")
    assert ordered != revision(extra_body={"top_k": 21, "min_p": 0})


@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("html"), Fault("drop")])
def test_a_passing_fault_never_becomes_an_identity(fault):
    with StubServer(models_fault=fault) as server:
        with pytest.raises(EngineError, match="ROLESYNTH_REVISION"):
            _ = make(server.url).identity
        # a GET whose connection breaks is repeated once by the client itself
        assert server.model_calls == (6 if fault.kind == "drop" else 3)
        server.models_fault = None
        assert make(server.url).identity.revision == "unknown"


def test_a_web_page_hints_at_the_address():
    with StubServer(models_fault=Fault("html")) as server:
        with pytest.raises(EngineError, match=r"a web page; set ROLESYNTH_BASE_URL to the address"):
            _ = make(server.url).identity
    with StubServer(models_fault=Fault("broken_json")) as server:
        with pytest.raises(EngineError, match="ROLESYNTH_REVISION") as caught:
            _ = make(server.url).identity
    assert "ROLESYNTH_BASE_URL" not in str(caught.value)


def test_identity_without_a_server_says_so():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        engine = make(f"http://127.0.0.1:{unused.getsockname()[1]}/v1")
        with pytest.raises(EngineError, match="No server answers"):
            _ = engine.identity


def test_every_time_is_every_attempt():
    with StubServer(faults=every_time(Fault("status", 500))) as server:
        asyncio.run(collect(make(server.url, max_retries=4), [request(1)]))
    assert [chat.attempt for chat in server.requests] == [0, 1, 2, 3, 4]


def test_control_tokens_are_sent_as_text_and_come_back_in_the_reply(picture):
    sign, history = "A sign reads <|im_end|>", (Turn("user", "<image>"), Turn("assistant", "Hi."))
    requests = [
        request(1, prompt="Describe."),
        request(2, prompt=sign, images=(picture("red"),), history=history),
    ]
    copies = lambda asked: asked.text.partition("reads ")[2] or asked.text  # noqa: E731
    with StubServer(answer=copies) as server:
        replies = asyncio.run(collect(make(server.url, concurrency=1), requests))
    plain, sent = (payload["messages"] for payload in server.payloads)
    assert plain[-1]["content"] == "Describe."
    assert [turn["role"] for turn in sent] == ["system", "user", "assistant", "user"]
    assert sent[1]["content"] == "<\xa6image>"
    assert [part["type"] for part in sent[-1]["content"]] == ["image_url", "text"]
    assert sent[-1]["content"][-1]["text"] == "A sign reads <\xa6|im_end|>"
    assert [(reply.text, reply.neutralised) for reply in replies] == [
        ("Describe.", 0),
        ("<|im_end|>", 2),
    ]
