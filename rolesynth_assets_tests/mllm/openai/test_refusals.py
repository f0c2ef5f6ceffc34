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
