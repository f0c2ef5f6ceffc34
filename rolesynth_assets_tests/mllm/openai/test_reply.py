"""Answers of many servers' shapes are read; how an answer ended is known by any word for it."""

import json

import pytest

from rolesynth_assets.mllm.engine import ChatReply, FailureReason
from rolesynth_assets.mllm.openai.completion_body import MAX_EVENTS, read_body
from rolesynth_assets.mllm.openai.finish_reason import Ending, ending
from rolesynth_assets.mllm.openai.reply import read_completion

TEXT = "a red apple"


def read(body: bytes | str | dict) -> ChatReply | None:
    if isinstance(body, dict):
        body = json.dumps(body)
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    return read_completion("k", read_body(data), 0.1)


def whole(content, **choice) -> dict:
    return {"choices": [{"message": {"content": content}, "finish_reason": "stop"} | choice]}


def events(*deltas: dict, done: bool = True, **last) -> str:
    chunks = [{"model": "m", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, **last}]})
    lines = [f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks]
    return ": hello\r\n\r\n" + "".join(lines) + ("data: [DONE]\r\n\r\n" if done else "")


HALVES = ["a red ", "app", "le"]
STREAM = events(*({"content": half} for half in HALVES), finish_reason="stop")


@pytest.mark.parametrize(
    "body",
    [
        whole(TEXT),
        whole([{"type": "text", "text": TEXT}]),
        whole([{"type": "text", "text": "a red "}, {"type": "text", "text": "apple"}]),
        whole([{"type": "output_text", "text": TEXT}]),
        whole([{"text": TEXT}]),
        whole([TEXT]),
        whole({"type": "text", "text": TEXT}),
        whole([{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": TEXT}]),
        whole([{"type": "reasoning", "text": "hmm"}, {"type": "text", "text": {"value": TEXT}}]),
        whole([{"type": "reasoning_text", "text": "hmm"}, {"type": "text", "text": TEXT}]),
        whole([{"type": "summary_text", "text": "hmm"}, {"type": "output_text", "text": TEXT}]),
        whole([{"text": "hmm", "thought": True}, {"text": TEXT}]),
        {"choices": [{"text": TEXT, "finish_reason": "stop"}]},
        [whole(TEXT)],
        "\ufeff" + json.dumps(whole(TEXT)),
        ": PROCESSING\n\n: PROCESSING\n\n" + json.dumps(whole(TEXT), indent=1),
        STREAM,
        STREAM.replace("data: ", "data:"),
        STREAM.replace("\r\n", "\n").replace(": hello", "event: message\nid: 3"),
        f"data: {json.dumps(whole(TEXT))}\n\n",
        "\n".join(
            json.dumps({"choices": [{"delta": {"content": half}, "finish_reason": None}]})
            for half in HALVES
        )
        + '\n{"choices": [{"delta": {}, "finish_reason": "stop"}]}\n',
        events({"role": "assistant"}, {"content": [{"type": "text", "text": TEXT}]}),
        events({"reasoning_content": "hmm"}, {"content": TEXT}),
    ],
)
def test_any_shape_is_read(body):
    reply = read(json.dumps(body) if isinstance(body, list) else body)
    assert reply is not None
    assert (reply.text, reply.reason) == (TEXT, None)


def test_a_stream_has_its_numbers_and_its_end():
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    body = STREAM.replace("data: [DONE]", f"data: {json.dumps(usage)}\n\ndata: [DONE]")
    reply = read(body)
    assert reply is not None
    assert (reply.prompt_tokens, reply.completion_tokens, reply.answered_by) == (7, 3, "m")
    cut = read(events({"content": TEXT}, finish_reason="length"))
    assert cut is not None and (cut.reason, cut.detail) == (FailureReason.TRUNCATED, TEXT)


def test_a_stream_that_ends_early_is_no_answer():
    early = read(events({"content": "a red"}, done=False))
    assert early is not None and early.reason is FailureReason.CALL_FAILED
    for at in range(STREAM.index("finish_reason")):
        cut = read(STREAM[:at])
        assert cut is None or cut.reason is FailureReason.CALL_FAILED


@pytest.mark.parametrize(
    "body", ["", "null", "3", '"text"', "{}", '{"choices": []}', "data: {", "["]
)
def test_what_is_no_completion_is_none(body):
    assert read(body) is None


def test_lone_surrogates_are_replaced_and_pairs_are_joined():
    pair = [{"type": "text", "text": "\ud83d"}, {"type": "text", "text": "\ude00!"}]
    for content, text in [
        ("one \ud83d apple", "one \ufffd apple"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        (pair, "\U0001f600!"),
    ]:
        reply = read(whole(content))
        assert reply is not None and reply.text == text
        assert text.encode()
    streamed = read(events({"content": "\ud83d"}, {"content": "\ude00"}))
    assert streamed is not None and streamed.text == "\U0001f600"
    broken = read(json.dumps(whole("a red apple")).replace("red", "r\xff").encode("latin-1"))
    assert broken is not None and broken.text == "a r\ufffd apple"


@pytest.mark.parametrize(
    "usage", [None, [], {"prompt_tokens": "x"}, {"prompt_tokens": None}, {"prompt_tokens": -3}]
)
def test_odd_usage_is_zero(usage):
    reply = read(whole(TEXT) | {"usage": usage, "model": 3, "system_fingerprint": None})
    assert reply is not None
    assert (reply.text, reply.prompt_tokens, reply.answered_by) == (TEXT, 0, "")


def test_a_refusal_as_a_part_is_one():
    reply = read(whole([{"type": "refusal", "refusal": "I cannot."}]))
    assert reply is not None
    assert (reply.reason, reply.detail) == (FailureReason.REFUSED, "I cannot.")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        *(
            (said, Ending.CUT)
            for said in (
                "length LENGTH Length max_tokens MAX_TOKENS MaxTokens maxTokens max-tokens "
                "FinishReason.MAX_TOKENS FINISH_REASON_MAX_TOKENS FinishReason.length "
                "stop_reason:max_tokens max_output_tokens MAX_OUTPUT_TOKENS model_length "
                "finish_reason_length max_length token_limit model_context_window_exceeded "
                "stop_reason=length repetition incomplete max_completion_tokens truncated limit "
                "cutoff cut_off stopped_limit output_limit max_len ctx_full token_budget "
                "maximum_tokens max_generation_tokens FinishReason.TRUNCATED out_of_context"
            ).split()
        ),
        *(
            (said, Ending.FILTERED)
            for said in "content_filter contentFilter SAFETY FinishReason.SAFETY RECITATION "
            "PROHIBITED_CONTENT BLOCKLIST SPII refusal sensitive guardrail_intervened "
            "content_filtered".split()
        ),
        *(
            (said, Ending.GAVE_UP)
            for said in "abort error network_error CANCELLED rate_limit".split()
        ),
        *(
            (said, Ending.COMPLETE)
            for said in "stop STOP end_turn eos eos_token FinishReason.STOP FINISH_REASON_STOP "
            "stop_sequence tool_calls".split()
        ),
        ("", Ending.COMPLETE),
    ],
)
def test_the_end_of_an_answer_by_any_word(said, kind):
    assert ending([said]) is kind


@pytest.mark.parametrize("where", ["finish_reason", "native_finish_reason", "stop_reason"])
@pytest.mark.parametrize("said", ["MAX_TOKENS", "FinishReason.MAX_TOKENS", "Length"])
def test_a_cut_is_a_cut_wherever_it_is_said(where, said):
    reply = read(whole(TEXT, **{where: said}))
    assert reply is not None
    assert (reply.text, reply.reason, reply.detail) == (None, FailureReason.TRUNCATED, TEXT)


def test_a_numeric_finish_reason_is_read():
    reply = read(whole(TEXT, finish_reason=1))
    assert reply is not None and (reply.text, reply.finish_reason) == (TEXT, "1")


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"choices":[{"delta":"x"}]}',
        b'data: {"choices":[{"delta":{"content":"x","refusal":["no"]}}]}\n\ndata: [DONE]',
        b'data: {"choices":[{"message":["x"]}]}',
        b'{"choices":[{"message":{"content":' + b"[" * 50 + b'"x"' + b"]" * 50 + b"}}]}",
        b'{"choices":[{"message":{"content":{"type":"text","text":{"a":{}}},"refusal":{}}}]}',
    ],
)
def test_an_answer_of_another_shape_ends_no_run(body: bytes) -> None:
    reply = read_completion("k", read_body(body), 0.0)
    assert reply is None or reply.key == "k"


def test_a_stream_has_a_bound_on_its_events():
    last = json.dumps(whole(TEXT))
    within = "data: {}\n" * (MAX_EVENTS - 1) + f"data: {last}\n"
    reply = read(within)
    assert reply and reply.text == TEXT
    assert read_body(("data: {}\n" + within).encode()) is None


def test_the_values_of_all_events_together_have_a_bound():
    event = 'data: {"choices": [' + "0," * 300_000 + "0]}\n"
    assert read_body((event * 6).encode()) is not None
    assert read_body((event * 7).encode()) is None
