"""What a server says of a fault, for any shape of its answer: status, words, parameter, wait."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rolesynth_assets.mllm.openai.completion_body import mended, read_body
from rolesynth_assets.mllm.openai.transport.connection import Answer

_WORD_KEYS = (
    "message",
    "detail",
    "error",
    "msg",
    "reason",
    "description",
    "title",
    "errors",
    "raw",
)
"""Keys under which servers put their words, the most telling first."""
_STATUS_KEYS = ("code", "status", "status_code", "http_status", "http_code", "statusCode")
_NAMED_STATUS = (
    (402, r"insufficient_quota|payment.?required|insufficient.?(credit|balance|fund)"),
    (429, r"rate.?limit|too.?many.?requests|resource.?exhausted|quota|throttl"),
    (401, r"invalid.?api.?key|unauthenticated|not.?authenticated|authentication|unauthorized"),
    (403, r"permission.?(denied|error)|forbidden"),
    (404, r"model.?not.?found|not.?found|no such model"),
    (503, r"overloaded|unavailable|capacity"),
    (504, r"time.?out|deadline"),
    (400, r"invalid.?(request|argument|parameter)|bad.?request|unsupported"),
)
_UNSHOWN = re.compile(
    r"<(script|style|svg)\b.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)", re.IGNORECASE | re.DOTALL
)
"""What a web page does not show; a part without an end goes on to the end of the page."""
_DEEPEST = 6


@dataclass(frozen=True)
class ServerError:
    """A fault that a server reports, with an error status or inside an answer with status 200.

    Attributes:
        status: HTTP status; for a fault inside a 200 the status that it names or means.
        words: what the server says, on one line, without markup.
        param: request field that the server names as the cause; empty if it names none.
        code: the server's code of the error.
        headers: headers of the answer.
        inside: whether it came with status 200.
    """

    status: int
    words: str
    param: str = ""
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    inside: bool = False

    def __str__(self) -> str:
        status = f"HTTP 200 with error {self.status}" if self.inside else f"HTTP {self.status}"
        return f"{status}: {self.words}" if self.words else status


def error_of(answer: Answer) -> ServerError:
    """Return what a server says in an answer with an error status."""
    value = read_body(answer.body)
    words = _shortened(value if value is not None else answer.body.decode("utf-8", "replace"))
    return ServerError(
        answer.status, words or answer.phrase, _param(value), _code(value), answer.headers
    )


def error_inside(value: object, headers: Mapping[str, str] | None = None) -> ServerError | None:
    """Return the fault that an answer with status 200 reports; None if it reports none.

    Args:
        value: the answer, as `read_body` returns it.
        headers: headers of the answer.
    """
    if not isinstance(value, dict):
        return None
    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict):
        if not choice.get("error"):
            return None
        value = {"error": choice["error"]}
    elif not (value.get("error") or value.get("errors") or _says_error(value)):
        return None
    words, code = _shortened(value), _code(value)
    status = _status(value) or _meant(f"{code} {_kind(value)}") or _meant(words) or 500
    return ServerError(status, words, _param(value), code, headers or {}, inside=True)


def _says_error(value: Mapping[str, Any]) -> bool:
    return any(key in value for key in ("detail", "message", "msg")) and "choices" not in value


def _levels(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield an answer's objects from the outer one to the error within it."""
    for _ in range(_DEEPEST):
        if isinstance(value, list) and value:
            value = value[0]
        if not isinstance(value, dict):
            return
        yield value
        value = value.get("error") or value.get("detail") or value.get("errors")


def _param(value: object) -> str:
    for level in _levels(value):
        if isinstance(param := level.get("param"), str) and param:
            return param
        location = level.get("loc")
        if isinstance(location, list) and location:
            return ".".join(str(part) for part in location if part != "body")
    return ""


def _code(value: object) -> str:
    inner = [level.get("code") for level in _levels(value)]
    return next((str(code) for code in reversed(inner) if isinstance(code, str | int)), "")


def _kind(value: object) -> str:
    said = [str(level.get(key) or "") for level in _levels(value) for key in ("type", "status")]
    return " ".join(said)


def _status(value: object) -> int | None:
    for level in _levels(value):
        for key in _STATUS_KEYS:
            said = str(level.get(key) or "")
            if re.fullmatch(r"[45]\d\d", said):
                return int(said)
    return None


def _meant(words: str) -> int | None:
    for status, pattern in _NAMED_STATUS:
        if re.search(pattern, words, re.IGNORECASE):
            return status
    return None


def _shortened(value: object) -> str:
    """Return the words of a JSON value, a text or a web page on one line."""
    said = list(dict.fromkeys(words for words in _words(value, _DEEPEST) if words))
    if not said and value not in (None, "", [], {}):
        said = [json.dumps(value)]
    return mended(" ".join(": ".join(said).split()))


def _words(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield _without_markup(value)
    elif depth and isinstance(value, list):
        for item in value:
            yield from _words(item, depth - 1)
    elif depth and isinstance(value, dict):
        if isinstance(value.get("loc"), list):
            place = ".".join(str(part) for part in value["loc"])
            yield f"{place} {value.get('msg') or value.get('message') or ''}".strip()
            return
        for key in _WORD_KEYS:
            yield from _words(value.get(key), depth - 1)
        if isinstance(metadata := value.get("metadata"), dict):  # a router's: its provider's words
            yield from _words(metadata.get("raw"), depth - 1)


def _without_markup(text: str) -> str:
    """Return the text of a web page; any other text as it is."""
    if not re.match(r"\s*<(!doctype|html|head|body|\?xml)", text, re.IGNORECASE):
        return text.strip()
    bare = _UNSHOWN.sub(" ", text)
    return "a web page: " + " ".join(html.unescape(re.sub(r"<[^<>]*>", " ", bare)).split())
