"""Each injected fault ends as the right reply, after the right number of attempts."""

import asyncio
import dataclasses
import json
import socket
import traceback

import pytest

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, EngineError, FailureReason
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.settings import SettingNames
from rolesynth_assets_tests.mllm.openai.asking import (
    REQUEST,
    ask,
    ask_with,
    make,
    numbered,
    stops_at_once,
)
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, every_time, first_attempts


def ask_until_error(
    engine: OpenAIEngine, requests: list[ChatRequest]
) -> tuple[list[ChatReply], EngineError]:
    """Return what was yielded before the error, and the error."""

    async def run() -> tuple[list[ChatReply], EngineError]:
        seen: list[ChatReply] = []
        replies = engine.complete(requests)
        with pytest.raises(EngineError) as caught:
            while True:
                seen.append(await anext(replies))
        return seen, caught.value

    return asyncio.run(run())


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", 429, headers={"Retry-After": "0"}),
        Fault("status", 408),
        Fault("status", 500),
        Fault("status", 503, body="<html>no upstream</html>"),
        Fault("drop"),
        Fault("closed_body"),
        Fault("broken_json"),
        Fault("html"),
        Fault("no_choices"),
        Fault("abort"),
    ],
    ids=lambda fault: f"{fault.kind}{fault.status}",
)
def test_a_passing_fault_is_tried_again(fault):
    reply, server = ask_with(first_attempts(2, fault))
    assert (reply.text, reply.reason) == ("a small red apple on a table", None)
    assert (reply.finish_reason, reply.completion_tokens) == ("stop", 7)
    assert reply.prompt_tokens > 0
    assert reply.latency_s > 0
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "reason", "attempts", "said"),
    [
        (Fault("status", 429), FailureReason.CALL_FAILED, 6, "HTTP 429"),
        (Fault("status", 500), FailureReason.CALL_FAILED, 6, "injected fault"),
        (Fault("drop"), FailureReason.CALL_FAILED, 6, "Error"),
        (Fault("closed_body"), FailureReason.CALL_FAILED, 6, "Error"),
        (Fault("abort"), FailureReason.CALL_FAILED, 6, "gave up (abort) after: a small red"),
        # Nonsense is given up after three attempts.
        (Fault("broken_json"), FailureReason.BAD_RESPONSE, 3, '{"choices": [{"mess'),
        (Fault("html"), FailureReason.BAD_RESPONSE, 3, "Sign in to the gateway"),
        (Fault("html"), FailureReason.BAD_RESPONSE, 3, "a web page; set ROLESYNTH_BASE_URL to"),
        (Fault("no_choices"), FailureReason.BAD_RESPONSE, 3, "chat.completion"),
        (Fault("status", 418), FailureReason.BAD_RESPONSE, 3, "HTTP 418"),
        # What the server will not do is asked once.
        (Fault("status", 400), FailureReason.REJECTED, 1, "HTTP 400"),
        (Fault("status", 413), FailureReason.REJECTED, 1, "HTTP 413"),
        (Fault("status", 422), FailureReason.REJECTED, 1, "HTTP 422"),
        (
            Fault("status", 403, body='{"error": {"message": "input was flagged"}}'),
            FailureReason.REJECTED,
            1,
            "flagged",
        ),
        # Answers that are no caption are not asked again either.
        (Fault("refusal"), FailureReason.REFUSED, 1, "I cannot help with that."),
        (Fault("content_filter"), FailureReason.REFUSED, 1, "content filter"),
        (Fault("empty"), FailureReason.EMPTY, 1, ""),
        (Fault("length"), FailureReason.TRUNCATED, 1, "a small red apple on a table"),
    ],
    ids=lambda value: f"{value.kind}{value.status}" if isinstance(value, Fault) else None,
)
def test_a_lasting_fault_ends_as_its_reason(fault, reason, attempts, said):
    reply, server = ask_with(every_time(fault), max_retries=5)
    assert (reply.text, reply.reason) == (None, reason)
    assert said in reply.detail
    assert len(server.requests) == attempts


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_no_whole_answer_in_time_is_a_timeout(kind):
    reply, server = ask_with(every_time(Fault(kind)), timeout_s=0.15, max_retries=1)
    assert reply.reason is FailureReason.TIMEOUT
    assert len(server.requests) == 2


def test_a_truncated_reply_keeps_its_numbers():
    reply, _ = ask_with(every_time(Fault("length")))
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 7)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "overloaded", "more": [' + "[]," * 400_000 + "0]}}", "overloaded"),
        ('{"error": {"message": "overloaded", "echo": "' + "A" * 2_000_000 + '"}}', "overloaded"),
        ("<html>overloaded " + "<script" * 200_000, "a web page: overloaded"),
    ],
    ids=["many values", "a long echo", "a page"],
)
def test_a_long_error_body_is_read_in_part_and_keeps_its_meaning(body, said, monkeypatch):
    lengths = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda s, **k: (lengths.append(len(s)), loads(s, **k))[1])
    reply, server = ask_with(every_time(Fault("status", 503, body)), max_retries=1)
    assert reply.reason is FailureReason.CALL_FAILED and len(server.requests) == 2
    assert "HTTP 503" in reply.detail and said in reply.detail
    if "[]," in body:
        assert max(lengths) < 1_000_000


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_stops_at_once(status):
    stops_at_once(Fault("status", status), "ROLESYNTH_API_KEY")


def test_an_unknown_model_stops_at_once():
    stops_at_once(Fault("status", 404), r"'stub'.*ROLESYNTH_MODEL")


def test_no_server_at_all_stops_at_once():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(EngineError, match=r"No server answers.*ROLESYNTH_BASE_URL"):
            ask(make(url), *numbered(50))


def test_a_server_that_goes_away_later_fails_requests_not_the_run():
    with StubServer() as server:
        engine = make(server, max_retries=1)
        assert ask(engine)[0].reason is None
    assert ask(engine)[0].reason is FailureReason.CALL_FAILED


def test_a_server_that_fails_for_everybody_stops_the_run():
    with StubServer(faults=every_time(Fault("status", 500))) as server:
        with pytest.raises(EngineError, match=r"16 requests in a row failed.*HTTP 500"):
            ask(make(server, concurrency=1, max_retries=0), *numbered(100))
    assert len(server.requests) <= 16 + 1  # one is in flight when it stops


def test_rejections_are_withheld_until_the_server_has_proven_itself():
    """A server that rejects everything is misconfigured; its rejections must not become rows."""
    with StubServer(faults=every_time(Fault("status", 400))) as server:
        seen, error = ask_until_error(make(server, concurrency=1), numbered(100))
    assert "in a row failed" in str(error)
    assert seen == []


def test_a_few_rejections_among_answers_are_replies():
    def large_ones(request):
        return Fault("status", 413) if request.ordinal < 5 else None

    with StubServer(faults=large_ones) as server:
        replies = ask(make(server, concurrency=1), *numbered(20))
    assert sorted(reply.key for reply in replies) == sorted(r.key for r in numbered(20))
    assert sum(reply.reason is FailureReason.REJECTED for reply in replies) == 5


def test_answers_that_arrived_with_a_fatal_error_are_not_lost():
    def later_no_key(request):
        return Fault("status", 401) if request.ordinal >= 3 else None

    with StubServer(faults=later_no_key) as server:
        seen, error = ask_until_error(make(server, concurrency=3), numbered(50))
    assert "ROLESYNTH_API_KEY" in str(error)
    assert len(seen) == 3


def test_unreadable_images_are_rejected_without_a_call():
    broken = [dataclasses.replace(r, images=(b"no image",)) for r in numbered(40)]
    with StubServer() as server:
        replies = ask(make(server), *broken, REQUEST)
    rejected = [reply for reply in replies if reply.key != "one"]
    assert [reply.reason for reply in rejected] == [FailureReason.REJECTED] * 40
    assert "cannot be decoded" in rejected[0].detail
    assert len(server.requests) == 1


def test_errors_name_where_the_settings_were_made():
    names = SettingNames(model="`model` of member 'ann'", api_key="ANN_KEY")
    for status, said in {401: "Set ANN_KEY", 404: "Set `model` of member 'ann'"}.items():
        with StubServer(faults=every_time(Fault("status", status))) as server:
            with pytest.raises(EngineError, match=said):
                ask(make(server, names=names))


def test_the_key_is_sent_and_shown_nowhere(caplog):
    key = "sk-very-secret-0123456789"
    caplog.set_level("DEBUG")
    careless = Fault("status", 400, body=f'{{"error": {{"message": "your key {key} is fine"}}}}')
    gateway = Fault("html", body=f"<html>{key}</html>")

    def faults(request):
        return {0: careless, 1: gateway, 2: gateway, 3: gateway}.get(request.ordinal)

    with StubServer(faults=faults, api_key=key) as server:
        engine = make(server, api_key=key, concurrency=1)
        replies = ask(engine, *numbered(3))
        assert {r.authorization for r in server.requests} == {f"Bearer {key}"}
        assert sorted(str(r.reason) for r in replies) == ["None", "bad_response", "rejected"]
        shown = [
            repr(replies),
            repr(engine),
            repr(engine._fleet.endpoints[0].faults),
            repr(engine._settings),
        ]
        shown.append(engine._settings.model_dump_json())
    wrong = "sk-wrong-key-9876543210"
    with StubServer(api_key=key) as server:
        other = make(server, api_key=wrong)
        for call in (lambda: ask(other), lambda: other.identity):
            with pytest.raises(EngineError) as caught:
                call()
            assert "***" in str(caught.value)
            shown += traceback.format_exception(caught.value)
            assert caught.value.__cause__ is None
            assert caught.value.__context__ is None
    shown.append(caplog.text)
    assert not any(secret in text for text in shown for secret in (key, wrong))
