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
    r"|valid|compatib|applicab|configurab|adjustab|chang|part of|among|defined|in the schema)"
    r"|n[o'\u2019]t (be )?(support|accept|allow|take|recogni[sz]e|permit|set|use|specif|match|pass"
    r"|send|sent|includ|provid|giv|add|contain|present|understand|understood|know|have)"
    r"|n[o'\u2019]t an? (\w+ )?(recogni[sz]|known|support|accept|allow|permit|valid|param|argument"
    r"|field)"
    r"|\bno\b.{0,20}\b(support|longer)"
    r"|un(support|known|recogni[sz]|expect|available|wanted)|extra (input|field|param)"
    r"|additional propert|reject|forbid|prohibit|disallow|incompatib|conflict|locked|restrict|omit"
    r"|exclud|refus|\bdrop\b|leave out|without the|\bexpect(s|ed)?\b|\brequires?\b|required to"
    r"|cannot|mutually exclusive|deprecat|\bonly\b|\bfixed\b|must (be|equal|not)|should (be|not)"
    r"|invalid|illegal|not a valid|no such|ignored|remove|has to|disabled|not match"
    r"|\u4e0d\u652f\u6301|\u65e0\u6548|\u4e0d\u5141\u8bb8|\u672a\u77e5|\u7981\u6b62|\u4e0d\u80fd"
    r"|ung\u00fcltig|nicht (unterst|erlaubt)|non (pris|support)",
    re.IGNORECASE,
)
_BOTH = re.compile(
    r"both|mutually exclusive|at the same time|together|only one|combin|simultaneous", re.IGNORECASE
)
_VALUE_TOO_LARGE = re.compile(
    r"too (large|big|high|many|long)|exceed|at most|maximum|less than|greater than|context|range"
    r"|larger|up to|<|\u2264|no more than|below|between",
    re.IGNORECASE,
)
_STREAM_ONLY = re.compile(
    r"only.{0,40}(stream|\bsse\b|server.sent)"
    r"|stream.{0,60}\b(only|required|must be (set to )?true|enable)"
    r"|(must|please|required).{0,60}\bstream\b.{0,20}(true|mode|parameter|param)"
    r"|(requires?|needs?)\b.{0,40}\b(stream|sse\b|server.sent)|must be streamed"
    r"|(?<!not )(?<!n't )\b(use|via|through|enable|turn on|switch (on|to))\b.{0,30}\bstream(ing)?\b"
    r"|\bstream(ing)?\b.{0,20}\b(must|needs?|has|should|expected)\b.{0,20}(true|enabled|\bon\b|1)"
    r"|\b(set|expected)\b.{0,20}\bstream(ing)?\b.{0,20}(true|\bon\b)"
    r"|\bstream\W{0,6}false.{0,40}(not|n't|unsupport|invalid|reject|forbid)"
    r"|must be .{0,40}non.?stream|non.?stream\w*.{0,60}(not|unsupport|only|reject|forbid|disabled)"
    r"|(not|unsupport).{0,40}non.?stream|\bsynchronous.{0,40}(not|n't|unsupport)",
    re.IGNORECASE,
)
_OFF = (
    r"(not|unsupport|n't|invalid|unavailab|deprecat|disabled|forbid|reject|prohibit|disallow|"
    r"ignored|removed|no longer|illegal|unknown|unexpected)"
)
_NO_SYSTEM = re.compile(
    rf"system.{{0,3}}\s*(role|message|prompt|instruction)s?\b.{{0,40}}{_OFF}"
    r"|(not|n't|unsupport\w*|invalid|unknown|unexpected|forbid\w*|without).{0,60}\b(system)\b.{0,3}"
    r"\s*(role|message|prompt|instruction)"
    rf"|(role|roles)\b.{{0,40}}\bsystem\b.{{0,40}}{_OFF}"
    r"|(unsupported|invalid|unknown|unexpected).{0,20}role.{0,10}\bsystem\b"
    r"|\bno\b.{0,10}system (role|message|prompt|instruction)"
    r"|roles must alternate|developer instruction is not enabled"
    r"|role.{0,60}(input should be|must be|one of|only).{0,20}.?user.{0,3}.{0,8}.?assistant"
    r"|only.{0,20}user.{0,3} and .?assistant.{0,3} roles"
    # the first message is the system's
    r"|^(?!.*\b(?:last|final)\b).*(\brole\b.{0,20}\b(must|should|has to|needs to|can only|may only)"
    r"( only)?( be)?\b.{0,12}\buser\b"
    r"|\b(start|begin|open)(s|ning|ing)? with\b.{0,20}\buser\b"
    r"|\bfirst (message|turn|role|entry)\b.{0,40}\buser\b|\buser\b.{0,20}\bcome first"
    r"|\bexpected\b.{0,20}\buser\b.{0,40}\bsystem\b"
    r"|\bonly\b.{0,20}\buser\b.{0,20}\b(role|message)s?\b.{0,20}(allow|support|accept|permit))",
    re.IGNORECASE | re.DOTALL,
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
