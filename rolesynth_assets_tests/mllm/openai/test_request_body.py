"""The bytes of a request are the JSON of its fields and messages, pictures included."""

import json

import pytest

from rolesynth_assets.mllm.engine import ChatRequest, Sampling, Turn
from rolesynth_assets.mllm.messages import MessageBuilder
from rolesynth_assets.mllm.openai import request_body as module
from rolesynth_assets.mllm.openai.request_body import request_body

FIELDS = {"model": "m", "temperature": 0.7, "stop": ["\n", '"'], "seed": 3}


@pytest.mark.parametrize(
    "prompt", ["plain", 'a "quoted" \\ one\n', "\u4e2d\u6587 \U0001f600 \ud83d"]
)
@pytest.mark.parametrize("colours", [[], ["red"], ["red", "blue", "red"]])
def test_it_is_the_json_of_all(picture, prompt, colours):
    images = tuple(map(picture, colours))
    turns = (Turn("user", prompt), Turn("assistant", "data:image/png;base64,AAAA"))
    request = ChatRequest("k", "s", prompt, Sampling(0.7, 0.9, 8), 0, images, turns)
    messages = MessageBuilder().build(request)
    body = request_body(FIELDS, messages)
    assert json.loads(body) == {**FIELDS, "messages": messages}
    assert body.count(b"base64,") == len(images) + 1


def test_a_picture_is_not_encoded_as_json(monkeypatch):
    encoded = []
    dumps = json.dumps

    def recording(value):
        encoded.append(dumps(value))
        return encoded[-1]

    monkeypatch.setattr(module.json, "dumps", recording)
    url = "data:image/png;base64," + "A" * 100_000
    parts = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    body = request_body({}, [{"role": "user", "content": parts}])
    assert len(encoded[0]) < 500
    assert json.loads(body)["messages"][0]["content"] == parts
