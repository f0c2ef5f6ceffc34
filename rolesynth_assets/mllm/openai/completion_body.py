"""Reading of the body of an answer into one JSON value, whatever its shape on the wire.

A body is JSON, or a stream of server-sent events (asked for or not), or a JSON value a line. Events
are joined into one value of the shape of a chat completion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from rolesynth_assets.bounded_json import read_json, require_few_values

MAX_DEPTH = 8
"""Lists and parts within each other; servers send one part in a list."""
MAX_EVENTS = 100_000
"""Most events of a stream; an event of a token takes some 200 bytes of an answer's 16 MiB."""
_LINE = re.compile(r"[^\r\n]+")
_DONE = "[DONE]"
_THOUGHTS = re.compile(r"reason|think|thought|summary|analysis|refus|comment")
"""Kinds of parts with text that is no answer, such as `reasoning_text` and `summary_text`."""
_ABOUT = ("model", "usage", "system_fingerprint")


def read_body(body: bytes) -> Any | None:
    """Return the JSON value of a body, or the joined events of a stream; None if it is neither.

    It is neither, too, if it has more values than `read_json` accepts, or more than `MAX_EVENTS`
    events.
    """
    text = body.decode("utf-8-sig", "replace")
    try:
        require_few_values(text)
    except ValueError:
        return None
    value = _json(text)
    if value is None:  # a comment that kept the connection alive may come first
        value = _json("\n".join(line for line in _lines(text) if not line.startswith(":")))
    if value is not None:
        return value[0] if isinstance(value, list) and len(value) == 1 else value
    known: list[dict[str, Any]] = []
    for line in islice(_data(text), MAX_EVENTS + 1):
        event = _json(line)
        if not isinstance(event, dict):
            return None
        known.append(event)
    if not 0 < len(known) <= MAX_EVENTS:
        return None
    try:
        return _joined(known, ended=_DONE in text)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None  # a shape that no reader foresaw must not end the run


def mended(text: str) -> str:
    """Join the halves of surrogate pairs; half a pair becomes a replacement character.

    >>> mended("a" + chr(0xD83D) + chr(0xDE00) + chr(0xD83D)) == "a" + chr(0x1F600) + chr(0xFFFD)
    True
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_of(content: object, depth: int = MAX_DEPTH) -> str:
    """Return the text of a message's content: a string, a part, or a list of both.

    Parts that are no answer, such as the model's thoughts, are left out, and so is what lies deeper
    than `depth`.
    """
    if isinstance(content, str):
        return content
    if depth == 0:
        return ""
    if isinstance(content, list):
        return "".join(text_of(part, depth - 1) for part in content)
    if isinstance(content, dict):
        kind = str(content.get("type", "text")).lower()
        if "text" not in kind or _THOUGHTS.search(kind) or content.get("thought") is True:
            return ""
        inner = content.get("text", content.get("value", content.get("content")))
        return text_of(inner, depth - 1)
    return ""


def _json(text: str) -> Any | None:
    try:
        return read_json(text)
    except ValueError:
        return None


def _lines(text: str) -> Iterator[str]:
    return (match[0] for match in _LINE.finditer(text))


def _data(text: str) -> Iterator[str]:
    """Yield the data of events, or the lines of a body with a JSON value a line.

    A server may send comments, such as `: processing`, to keep a connection alive.
    """
    for line in _lines(text):
        if line.startswith("data:"):
            line = line[len("data:") :]
        elif line.startswith((":", "event:", "id:", "retry:")):
            continue
        line = line.strip()
        if line and line != _DONE:
            yield line


def _joined(events: list[dict[str, Any]], ended: bool) -> dict[str, Any]:
    """Join events into one completion; an event with an error is returned as it is."""
    whole: dict[str, Any] = {}
    said: list[str] = []
    refused: list[str] = []
    finish: dict[str, Any] = {}
    for event in events:
        if event.get("error"):
            return event
        whole |= {key: event[key] for key in _ABOUT if event.get(key)}
        for choice in _first_choices(event):
            part = choice.get("delta") or choice.get("message") or {}
            part = part if isinstance(part, dict) else {"content": part}
            said.append(text_of(part.get("content", choice.get("text"))))
            refused.append(text_of(part.get("refusal")))
            finish |= {
                key: choice[key]
                for key in ("finish_reason", "native_finish_reason", "stop_reason", "error")
                if choice.get(key)
            }
    if not said:
        return events[-1]
    if not finish and not ended:
        finish = {"finish_reason": "error: the stream ended early"}
    message = {"content": "".join(said), "refusal": "".join(refused) or None}
    return whole | {"choices": [{"message": message, **finish}]}


def _first_choices(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index", 0) in (0, None):
            yield choice
