"""Which part of a request a server refuses, from the words of its error."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rolesynth_assets.mllm.openai.server_error import ServerError
from rolesynth_assets.mllm.settings import TOKEN_LIMITS

_ASKED_WRONGLY = (400, 405, 415, 422, 500, 501)
"""Statuses with which servers refuse a field; a chat template's own error is a 500 in some."""
_GIVEN_UP_FIRST = ("seed", "stream_options", "top_p", "response_format", "temperature")
"""Which field goes if two cannot be combined."""

_REFUSES = re.compile(
    r"not (be |yet |currently )*(support|permit|allow|accept|availab|recogni[sz]|implement|enabl"
    r"|valid)"
    r"|n[o']t (support|accept|allow|take|recogni[sz]e|permit)|\bno\b.{0,20}\bsupport"
    r"|un(support|known|recogni[sz]|expect|available)|extra (input|field|param)|additional propert"
    r"|cannot|mutually exclusive|deprecat|\bonly\b|\bfixed\b|must (be|equal)|should be|invalid"
    r"|illegal|not a valid|no such|ignored|remove",
    re.IGNORECASE,
)
_BOTH = re.compile(
    r"both|mutually exclusive|at the same time|together|only one|combin|simultaneous", re.IGNORECASE
)
_VALUE_TOO_LARGE = re.compile(
    r"too (large|big|high|many|long)|exceed|at most|maximum|less than|greater than|context|range"
    r"|larger|up to",
    re.IGNORECASE,
)
_STREAM_ONLY = re.compile(
    r"only.{0,40}stream|stream.{0,60}\b(only|required|must be (set to )?true|enable)"
    r"|(must|please|required).{0,60}\bstream\b.{0,20}(true|mode|parameter|param)"
    r"|non.?stream\w*.{0,60}(not|unsupport|only)|(not|unsupport).{0,40}non.?stream",
    re.IGNORECASE,
)
_NO_SYSTEM = re.compile(
    r"system.{0,3}\s*(role|message|prompt|instruction)s?\b.{0,40}(not|unsupport|n't|invalid)"
    r"|(not|n't|unsupport\w*|invalid|unknown|unexpected).{0,60}\b(system)\b.{0,3}\s*(role|message|"
    r"prompt|instruction)"
    r"|(role|roles)\b.{0,40}\bsystem\b.{0,40}(not|unsupport|invalid|n't)"
    r"|(unsupported|invalid|unknown|unexpected).{0,20}role.{0,10}\bsystem\b"
    r"|roles must alternate|developer instruction is not enabled"
    r"|role.{0,60}(input should be|must be|one of|only).{0,20}.?user.{0,3}.{0,8}.?assistant"
    r"|only.{0,20}user.{0,3} and .?assistant.{0,3} roles",
    re.IGNORECASE,
)


_ABOVE_ZERO = re.compile(
    r"positive|(?:greater|larger|more|higher) than (?:0|zero)|above (?:0|zero)|non-?zero|> ?0"
    r"|(?:>=|at least) ?0?\.0*[1-9]|\(0(?:\.0)?,",
    re.IGNORECASE,
)


def refuses_zero(error: ServerError) -> bool:
    """Return whether the server wants a value above zero, such as of the temperature."""
    return bool(_ABOVE_ZERO.search(error.words))


def wants_stream(error: ServerError) -> bool:
    """Return whether the server answers only as a stream."""
    return error.status in _ASKED_WRONGLY and bool(_STREAM_ONLY.search(error.words))


def wants_user(error: ServerError) -> bool:
    """Return whether the model has no system role."""
    return error.status in _ASKED_WRONGLY and bool(_NO_SYSTEM.search(error.words))


def refused_field(error: ServerError, fields: Iterable[str]) -> str | None:
    """Return the sent field that the server does not accept; None if it names none.

    A value that is too large for the token limit is no refusal of the field.
    """
    if error.status not in _ASKED_WRONGLY:
        return None
    names = list(fields)
    named = [name for name in names if name == error.param.split(".")[0]]
    if not named:
        places = {name: found.start() for name in names if (found := _mention(name, error.words))}
        named = sorted(places, key=lambda name: places[name])
        if not named or not (_REFUSES.search(error.words) or named == ["response_format"]):
            return None
    if len(named) > 1 and _BOTH.search(error.words):
        named.sort(key=lambda name: _rank(name))
    name = named[0]
    if name in TOKEN_LIMITS and not _refuses_limit(error, name):
        return None
    return name


def _mention(name: str, words: str) -> re.Match[str] | None:
    spelled = name.replace("_", "[ _-]?")
    # a longer name, such as max_tokens_to_sample, is another field
    return re.search(rf"(?<![A-Za-z0-9_]){spelled}(?![A-Za-z0-9_])", words, re.IGNORECASE)


def _rank(name: str) -> int:
    return _GIVEN_UP_FIRST.index(name) if name in _GIVEN_UP_FIRST else len(_GIVEN_UP_FIRST)


def _refuses_limit(error: ServerError, name: str) -> bool:
    other = TOKEN_LIMITS[1 - TOKEN_LIMITS.index(name)]
    if error.code == "unsupported_parameter" or _mention(other, error.words):
        return True
    return not _VALUE_TOO_LARGE.search(error.words) and bool(_REFUSES.search(error.words))
