"""What a server refuses is read from its words, however it says it."""

import pytest

from rolesynth_assets.mllm.openai.refusals import (
    refused_field,
    refuses_zero,
    wants_stream,
    wants_user,
)
from rolesynth_assets.mllm.openai.server_error import ServerError

FIELDS = ("temperature", "top_p", "seed", "max_tokens", "stream_options", "response_format")


def said(words: str) -> ServerError:
    return ServerError(400, words)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("Unrecognized request argument supplied: seed", "seed"),
        ('Unknown name "seed": Cannot find field.', "seed"),
        ("'seed' does not match any of the allowed keys", "seed"),
        ("sampling parameter seed disabled", "seed"),
        ("Ungültiger Parameter: seed", "seed"),
        ("不支持参数 seed", "seed"),
        ("temperature has to be 1", "temperature"),
        ("You can't set temperature with reasoning models", "temperature"),
        ("`temperature` and `top_p` cannot both be specified", "top_p"),
        ("stream_options only allowed when stream=true", "stream_options"),
        ("Sampling parameter temperature was rejected.", "temperature"),
        ("forbidden field: seed", "seed"),
        ("parameter seed is prohibited", "seed"),
        ("Do not pass top_p", "top_p"),
        ("you may not pass seed", "seed"),
        ("Please don't send seed to this model", "seed"),
        ("Expected temperature to be 1, got 0.7", "temperature"),
        ("Thinking models require temperature of 1", "temperature"),
        ("seed is not a recognized parameter", "seed"),
        ("seed isn't a known argument", "seed"),
        ("seed is disallowed here", "seed"),
        ("temperature is locked to 1.0", "temperature"),
        ("temperature is not configurable for this model", "temperature"),
        ("top_p conflicts with this model", "top_p"),
        ("Omit seed from your request", "seed"),
        ("response_format is incompatible with images", "response_format"),
        ("禁止使用参数 seed", "seed"),
        ("Expected max_tokens to be <= 4096", None),
        ("max_tokens is restricted to values below 4096", None),
        ("max_tokens is too large: 4096", None),
        ("invalid image", None),
    ],
)
def test_the_refused_field(words: str, field: str | None) -> None:
    assert refused_field(said(words), FIELDS) == field


def test_a_value_above_zero() -> None:
    assert refuses_zero(said("`temperature` must be strictly positive"))
    assert refuses_zero(said("temperature should be in (0, 2]"))
    assert not refuses_zero(said("temperature is not supported"))


def test_stream_and_system_role() -> None:
    words = "parameter.enable_thinking must be set to false for non-streaming calls"
    assert wants_stream(said(words)) and not wants_stream(said("stream is not supported"))
    assert wants_user(said("Conversation roles must alternate user/assistant"))


@pytest.mark.parametrize(
    "words",
    [
        "this model requires stream mode",
        "Please use the stream API",
        "This model requires streaming",
        "stream needs to be true",
        "Expected stream to be true",
        "stream=false is not accepted",
        "Only SSE responses are available",
        "Synchronous calls are not supported for this model",
        "Non-stream requests are rejected",
        "Enable streaming to call this model",
    ],
)
def test_servers_that_only_stream(words: str) -> None:
    assert wants_stream(said(words)) and not wants_user(said(words))


@pytest.mark.parametrize(
    "words",
    [
        "Do not use the stream API with this model",
        "streaming is unavailable",
        "stream_options is not supported",
        "seed is not supported",
        "The last message must have the role user",
        "Final message role must be user",
        "messages must contain at least one image",
    ],
)
def test_neither_a_stream_nor_another_role_helps(words: str) -> None:
    assert not wants_stream(said(words)) and not wants_user(said(words))


@pytest.mark.parametrize(
    "words",
    [
        "system role is unavailable",
        "the 'system' role is deprecated",
        "System prompts are disabled for this model",
        "This model has no system role",
        "messages[0].role must be user",
        "The role of the first message should be user",
        "First message must be from user, got system",
        "A conversation must start with a user message",
        "Conversations should begin with the user",
        "Expected role user at index 0 but got system",
        "Only the user role is allowed",
    ],
)
def test_models_without_a_system_role(words: str) -> None:
    assert wants_user(said(words)) and not wants_stream(said(words))
