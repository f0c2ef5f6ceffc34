"""Servers without JSON mode, or with another name for the limit of tokens."""

import dataclasses
import json

import pytest

from rolesynth_assets.mllm.engine import FailureReason
from rolesynth_assets_tests.mllm.openai.asking import REQUEST, ask, make, numbered
from rolesynth_assets_tests.mllm.stub_server import Fault, StubServer, first_attempts

JSON_REQUEST = dataclasses.replace(REQUEST, json_mode=True)


def test_a_hosted_model_that_renamed_the_token_limit():
    error = (
        '{"error": {"message": "Unsupported parameter", "param": "max_tokens", '
        '"code": "unsupported_parameter"}}'
    )

    def renamed(request):
        return Fault("status", 400, body=error) if "max_tokens" in request.payload else None

    with StubServer(faults=renamed) as server:
        replies = ask(make(server, concurrency=1), *numbered(3))
    assert all(reply.reason is None for reply in replies)
    assert [p.get("max_completion_tokens") for p in server.payloads] == [None, 48, 48, 48]
    assert {reply.sent.get("max_completion_tokens") for reply in replies} == {48}


def test_json_mode_is_asked_for_where_the_request_says_so():
    with StubServer() as server:
        ask(make(server, concurrency=1), REQUEST, JSON_REQUEST)
    assert [p.get("response_format") for p in server.payloads] == [None, {"type": "json_object"}]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "Unknown parameter: 'response_format'.", "param": "response_format"}),
        (400, {"message": "'response_format.type' must be 'json_schema' or 'text'"}),
        (400, {"message": "no", "param": "response_format", "code": "unsupported_parameter"}),
        (422, {"message": "body.response_format: extra fields not permitted"}),
    ],
)
def test_a_server_without_json_mode_is_asked_without_it(status, error):
    refusal = Fault("status", status, body=json.dumps({"error": error}))

    def no_json_mode(request):
        return refusal if "response_format" in request.payload else None

    asked = [dataclasses.replace(JSON_REQUEST, key=f"{n}", prompt=f"{n}") for n in range(3)]
    with StubServer(faults=no_json_mode) as server:
        replies = ask(make(server, concurrency=1), *asked)
    assert all(reply.reason is None for reply in replies)
    assert ["response_format" in p for p in server.payloads] == [True, False, False, False]


def test_another_rejection_leaves_json_mode_on():
    with StubServer(faults=first_attempts(1, Fault("status", 413))) as server:
        replies = ask(make(server, concurrency=1), JSON_REQUEST, JSON_REQUEST)
    assert {reply.reason for reply in replies} == {FailureReason.REJECTED, None}
    assert all("response_format" in p for p in server.payloads)


def test_a_server_that_renames_and_has_no_json_mode_is_asked_three_times():
    def picky(request):
        for name, code in {"max_tokens": "unsupported_parameter", "response_format": None}.items():
            if name in request.payload:
                error = {"message": f"not {name}", "param": name, "code": code}
                return Fault("status", 400, body=json.dumps({"error": error}))
        return None

    with StubServer(faults=picky) as server:
        (reply,) = ask(make(server), JSON_REQUEST)
    assert (reply.reason, len(server.requests)) == (None, 3)
