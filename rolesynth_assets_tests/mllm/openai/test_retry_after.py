"""How long a server asks to wait, and whether the run waits or stops."""

import json

import pytest

from rolesynth_assets.mllm.openai.faults import retry_after_s
from rolesynth_assets_tests.mllm.openai.asking import ask_with, stops_at_once
from rolesynth_assets_tests.mllm.stub_server import Fault, first_attempts


def test_retry_after_is_honoured():
    fault = Fault("status", 429, headers={"Retry-After": "0.15"})
    _, server = ask_with(first_attempts(1, fault))
    first, second = server.requests
    assert second.arrived - first.arrived >= 0.15


@pytest.mark.parametrize("inside", [False, True], ids=["429", "200"])
def test_a_wait_of_hours_stops_the_run_and_says_until_when(inside):
    body = json.dumps({"error": {"code": 429, "message": "Daily quota used up"}})
    fault = Fault("status", 200 if inside else 429, body, {"Retry-After": "7200"})
    stops_at_once(fault, r"wait 2 h 0 min.*Daily quota.*Run again after 20")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "1", "retry-after-ms": "30"}, 0.03),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "-inf"}, None),
        ({"retry-after": "1e999"}, None),
        ({"retry-after": "1e300"}, 365 * 86_400),
        ({"retry-after": "99999999999999"}, 365 * 86_400),
        ({"retry-after-ms": "1e300"}, 365 * 86_400),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 365 * 86_400),
        ({"retry-after": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_milliseconds_or_a_date(headers, seconds):
    assert retry_after_s(headers) == seconds


def test_a_wait_without_end_stops_the_run_with_a_date():
    fault = Fault("status", 429, headers={"Retry-After": "99999999999999"})
    stops_at_once(fault, r"wait 8760 h 0 min.*Run again after 20")
