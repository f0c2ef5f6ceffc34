"""What a server refuses is left out by itself, once for a model, and its words are in messages."""

import asyncio
import dataclasses
import json

import pytest

from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    Learned,
    Sampling,
)
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import Fault, StubRequest, StubServer, every_time

FAST = Backoff(initial_s=0.001, ceiling_s=0.002)
REQUEST = ChatRequest(
    "key", "You describe images.", "Describe it.", Sampling(0.7, 0.9, 48), 7, json_mode=True
)


def make(server: StubServer, **changes) -> OpenAIEngine:
    values = {"timeout_s": 5, "max_retries": 2, "concurrency": 1, "model": "stub"} | changes
    return OpenAIEngine(EngineSettings(engine="openai", base_url=server.url, **values), FAST)


def ask(engine: OpenAIEngine, *requests: ChatRequest) -> list[ChatReply]:
    async def run() -> list[ChatReply]:
        return [reply async for reply in engine.complete(requests)]

    return asyncio.run(run())


def several(count: int, request: ChatRequest = REQUEST) -> list[ChatRequest]:
    return [dataclasses.replace(request, key=f"{n}", prompt=f"prompt {n}") for n in range(count)]


def bodies(words: str, **more) -> list[str]:
    """Return the shapes in which servers put their words."""
    return [
        json.dumps(body)
        for body in (
            {"error": {"message": words, **more}},
            {"error": words},
            {"detail": words},
            {"message": words},
            {"object": "error", "message": words, "type": "BadRequestError", "code": 400},
            {"error": {"error": {"message": words}}},
            {"errors": [{"message": words}]},
            [{"error": {"message": words, "status": "INVALID_ARGUMENT"}}],
            {"error": {"message": "Provider returned error", "metadata": {"raw": words}}},
            {"detail": {"error": {"msg": words}}},
        )
    ] + [words, f"<html><body><script>x</script><p>{words}</p></body></html>"]


REFUSALS = {
    "seed": [
        "Unrecognized request argument supplied: seed",
        "Unsupported parameter: 'seed' is not supported with this model.",
        "seed: Extra inputs are not permitted",
        "`seed` is not a valid parameter for this endpoint",
        "This model doesn't support seed",
    ],
    "temperature": [
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default "
        "(1) value is supported.",
        "invalid temperature: only 1 is allowed for this model",
        "temperature is fixed for this model",
        "`temperature` is deprecated for this model.",
    ],
    "top_p": [
        "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        'Unknown name "top_p": Cannot find field.',
        "top_p and temperature are mutually exclusive",
        "top-p is unsupported",
    ],
    "response_format": ["'response_format.type' must be 'json_schema' or 'text'"],
}


def refuses(name: str, body: str, status: int):
    def fault(request: StubRequest) -> Fault | None:
        return Fault("status", status, body=body) if name in request.payload else None

    return fault


CASES = [
    (name, body, status)
    for name, said in REFUSALS.items()
    for number, words in enumerate(said)
    for status, body in (
        [(400, body) for body in bodies(words)] if number == 0 else [(422, bodies(words)[number])]
    )
]


@pytest.mark.parametrize(("name", "body", "status"), CASES)
def test_a_refused_parameter_is_left_out_once(name, body, status):
    with StubServer(faults=refuses(name, body, status)) as server:
        engine = make(server)
        replies = ask(engine, *several(3))
    assert [reply.reason for reply in replies] == [None] * 3
    assert [name in payload for payload in server.payloads] == [True, False, False, False]
    others = {"seed", "temperature", "top_p", "max_tokens", "response_format"} - {name}
    assert all(others <= payload.keys() for payload in server.payloads)
    assert all(name not in reply.sent and others <= reply.sent.keys() for reply in replies)
    assert engine.learned.left_out == (name,)


def test_the_place_in_a_validation_error_names_the_parameter():
    body = {"detail": [{"loc": ["body", "seed"], "msg": "none of it", "type": "value_error"}]}
    with StubServer(faults=refuses("seed", json.dumps(body), 422)) as server:
        assert [reply.reason for reply in ask(make(server), *several(2))] == [None, None]
    assert len(server.requests) == 3


def test_a_refusal_inside_a_200_is_one():
    body = json.dumps({"error": {"message": "seed is not supported", "code": 400}})
    with StubServer(faults=refuses("seed", body, 200)) as server:
        assert ask(make(server), REQUEST)[0].reason is None
    assert ["seed" in payload for payload in server.payloads] == [True, False]


def test_several_parameters_are_left_out_one_after_the_other():
    def picky(request: StubRequest) -> Fault | None:
        for name in ("seed", "top_p", "temperature", "response_format"):
            if name in request.payload:
                return Fault("status", 400, body=f'{{"detail": "unknown field {name}"}}')
        return None

    with StubServer(faults=picky) as server:
        engine = make(server, concurrency=4)
        replies = ask(engine, *several(8))
    assert [reply.reason for reply in replies] == [None] * 8
    assert set(replies[0].sent) == {"model", "max_tokens"}
    assert engine.learned.left_out == ("response_format", "seed", "temperature", "top_p")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "renamed"),
        ("max_tokens: Extra inputs are not permitted", "renamed"),
        ("{name} is not supported", "none"),
    ],
)
def test_the_token_limit_has_two_names(words, names):
    def picky(request: StubRequest) -> Fault | None:
        taken = {"max_completion_tokens"} if names == "renamed" else set()
        sent = {"max_tokens", "max_completion_tokens"} & request.payload.keys() - taken
        said = words.format(name=next(iter(sent), ""))
        return Fault("status", 400, body=json.dumps({"error": said})) if sent else None

    with StubServer(faults=picky) as server:
        engine = make(server)
        replies = ask(engine, *several(3))
    assert [reply.reason for reply in replies] == [None] * 3
    assert len(server.requests) == (4 if names == "renamed" else 5)
    expected = {48} if names == "renamed" else {None}
    assert {reply.sent.get("max_completion_tokens") for reply in replies} == expected


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens is too large: 48. This model supports at most 32 completion tokens",
        "This model's maximum context length is 512 tokens. Please reduce the max_tokens.",
        "This model does not support image input",
        "prompt is too long",
    ],
)
def test_a_fault_of_the_request_is_no_refusal_of_a_parameter(words):
    with StubServer(faults=lambda r: Fault("status", 400, words) if r.ordinal else None) as server:
        replies = ask(make(server), *several(2))
    assert replies[1].reason is FailureReason.REJECTED and words in replies[1].detail
    assert len(server.requests) == 2


def test_a_refused_field_of_the_user_is_named():
    body = json.dumps({"detail": "Unrecognized request argument supplied: top_k"})
    with StubServer(faults=refuses("top_k", body, 400)) as server:
        with pytest.raises(EngineError, match=r"top_k, which ROLESYNTH_EXTRA_BODY sets.*Unrecog"):
            ask(make(server, extra_body={"top_k": 20}), *several(9))
    assert len(server.requests) == 1


@pytest.mark.parametrize("shape", range(12))
@pytest.mark.parametrize("status", [400, 404, 500])
def test_the_servers_words_are_in_the_message(shape, status):
    body = bodies("the cat is on the fence")[shape]
    with StubServer(
        faults=lambda r: Fault("status", status, body) if r.ordinal else None
    ) as server:
        try:
            said = ask(make(server, max_retries=0), *several(2))[1].detail
        except EngineError as error:
            said = str(error)
    assert f"HTTP {status}: " in said and "the cat is on the fence" in said
    assert "<" not in said and "script" not in said


def test_a_long_page_is_shortened():
    page = "<!DOCTYPE html><html><title>502 Bad Gateway</title>" + "<p>nginx</p>" * 9000
    with StubServer(faults=lambda r: Fault("status", 502, page) if r.ordinal else None) as server:
        said = ask(make(server, max_retries=0), *several(2))[1].detail
    assert said.startswith("HTTP 502: a web page: 502 Bad Gateway nginx nginx") and len(said) < 400


def streamed(text: str) -> bytes:
    chunk = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}
    return f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()


@pytest.mark.parametrize(
    "words",
    [
        "This model only support stream mode, please enable the stream parameter to access it.",
        "Stream must be set to true",
        "non-streaming requests are not supported",
        "Only streaming is supported for this model",
    ],
)
def test_a_model_that_only_streams_is_asked_for_a_stream(words):
    def fault(request: StubRequest) -> Fault | None:
        refused = not request.payload.get("stream")
        return Fault("status", 400, json.dumps({"message": words})) if refused else None

    with StubServer(lambda request: streamed("a red apple"), fault) as server:
        engine = make(server)
        replies = ask(engine, *several(3))
    assert [reply.text for reply in replies] == ["a red apple"] * 3
    assert len(server.requests) == 4
    assert engine.learned.streams and replies[0].sent["stream"] is True


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "System role not supported"),
        (500, "System role not supported"),
        (400, "Conversation roles must alternate user/assistant/user/assistant/..."),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it"),
        (422, "messages.0.role: Input should be 'user' or 'assistant'"),
        (400, "Unsupported role: system"),
        (400, "This model does not support system messages"),
        (400, "Only user and assistant roles are supported!"),
    ],
)
def test_a_model_without_a_system_role_reads_the_system_text_in_the_users(status, words, picture):
    def fault(request: StubRequest) -> Fault | None:
        system = request.payload["messages"][0]["role"] == "system"
        return Fault("status", status, json.dumps({"detail": words})) if system else None

    pictured = dataclasses.replace(REQUEST, images=(picture(),))
    with StubServer(faults=fault) as server:
        engine = make(server)
        replies = ask(engine, REQUEST, pictured)
    assert [reply.reason for reply in replies] == [None, None]
    texts = [payload["messages"][0]["content"] for payload in server.payloads[1:]]
    assert texts[0] == "You describe images.\n\nDescribe it."
    assert [part["type"] for part in texts[1]] == ["image_url", "text"]
    assert texts[1][1]["text"] == texts[0]
    assert engine.learned.folds_system and "system" in replies[0].sent


def test_what_is_known_is_not_tried_again_and_names_the_identity():
    known = Learned(left_out=("seed", "temperature"), streams=True, folds_system=True)
    with StubServer(lambda request: streamed("a red apple")) as server:
        engine = make(server, learned=known, revision="r")
        assert ask(engine, REQUEST)[0].text == "a red apple"
    assert engine.identity.revision == "r+without.temperature+system-in-user"
    assert len(server.requests) == 1 and "temperature" not in server.payloads[0]
    assert make(server, learned=Learned(left_out=("seed",)), revision="r").identity.revision == "r"


def test_a_lesson_enters_the_identity_only_when_it_is_settled():
    body = json.dumps({"detail": "temperature is not supported"})
    with StubServer(faults=refuses("temperature", body, 400)) as server:
        engine = make(server, revision="r")
        ask(engine, REQUEST)
        assert engine.identity.revision == "r"
        engine.settle()
        assert engine.identity.revision == "r+without.temperature"


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"code": 429, "message": "slow down"}},
        {"error": {"code": "429", "message": "slow down"}},
        {"error": {"type": "rate_limit_error", "message": "slow down"}},
        {"error": {"message": "Rate limit reached"}},
        {"error": "Too many requests"},
        {"code": 429, "message": "slow down"},
        {"status": 429, "detail": "slow down"},
        {"choices": [{"error": {"code": 429, "message": "slow down"}}]},
        {"error": {"status": "RESOURCE_EXHAUSTED", "message": "slow down"}},
    ],
)
def test_a_429_inside_a_200_is_a_429(error):
    def fault(request: StubRequest) -> Fault | None:
        return Fault("status", 200, json.dumps(error)) if request.ordinal in (1, 2) else None

    with StubServer(faults=fault) as server:
        engine = make(server)
        replies = ask(engine, *several(2))
    assert [reply.reason for reply in replies] == [None, None]
    assert len(server.requests) == 4
    with StubServer(faults=every_time(Fault("status", 200, json.dumps(error)))) as server:
        (reply,) = ask(make(server, max_retries=1), REQUEST)
    assert reply.reason is FailureReason.CALL_FAILED and "error 429" in reply.detail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"error": {"code": 401, "message": "no"}}, "refuses the key"),
        ({"error": {"code": "model_not_found", "message": "no"}}, "does not know model"),
        ({"error": {"code": "insufficient_quota", "message": "no"}}, "no credit left"),
    ],
)
def test_other_errors_inside_a_200_stop_as_their_status_does(error, said):
    with StubServer(faults=every_time(Fault("status", 200, json.dumps(error)))) as server:
        with pytest.raises(EngineError, match=said):
            ask(make(server), *several(9))
    assert len(server.requests) == 1


def test_the_model_that_answered_and_its_fingerprint_are_in_the_reply():
    about = {"model": "other-model", "system_fingerprint": "fp_1"}
    choice = {"message": {"content": "a red apple"}, "finish_reason": "stop"}
    with StubServer(lambda request: {"choices": [choice]} | about) as server:
        (reply,) = ask(make(server, extra_body={"temperature": 0.1, "seed": None}), REQUEST)
    assert (reply.answered_by, reply.system_fingerprint) == ("other-model", "fp_1")
    assert reply.sent == {
        "model": "stub",
        "temperature": 0.1,
        "top_p": 0.9,
        "max_tokens": 48,
        "response_format": {"type": "json_object"},
    }
