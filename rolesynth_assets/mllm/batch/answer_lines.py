"""Reading of the files of a batch's answers and errors: a line each, in any order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rolesynth_assets.mllm.openai.completion_body import read_body
from rolesynth_assets.mllm.openai.server_error import ServerError, error_inside, error_of
from rolesynth_assets.mllm.openai.transport.connection import Answer

_KEY = re.compile(rb'"custom_id"\s*:\s*"([^"\\]{1,200})"')
_HEAD = 4096
"""Bytes at the beginning of a line that is too long, in which its key is looked for."""


@dataclass(frozen=True)
class AnswerLine:
    """One line; it has an answer, an error, or neither if it is no line of a batch.

    Attributes:
        key: key of the request; empty if it cannot be read.
        value: the answer, as `read_body` returns it.
        error: what the server says instead.
        unasked: why the request was never run, in the server's words.
        too_long: whether it was longer than the limit, and not read.
        body: the beginning of the line.
    """

    key: str
    value: object = None
    error: ServerError | None = None
    unasked: str = ""
    too_long: bool = False
    body: bytes = b""


def read_lines(path: Path, most_bytes: int) -> Iterator[AnswerLine]:
    """Yield the lines of a file, one at a time in memory.

    Args:
        path: the file.
        most_bytes: longest line that is read.
    """
    with path.open("rb") as file:
        while line := file.readline(most_bytes + 1):
            if len(line) <= most_bytes:
                if line.strip():
                    yield read_line(line)
                continue
            while line[-1:] != b"\n" and (rest := file.readline(_HEAD)):
                line = line[:_HEAD] + rest[-1:]
            found = _KEY.search(line[:_HEAD])
            yield AnswerLine(found[1].decode("utf-8", "replace") if found else "", too_long=True)


def read_line(line: bytes) -> AnswerLine:
    """Return what a line says."""
    value, head = read_body(line), line[:_HEAD]
    if not isinstance(value, dict) or not isinstance(value.get("custom_id"), str):
        return AnswerLine("", body=head)
    key, response = value["custom_id"], value.get("response")
    if isinstance(response, dict) and response:
        return _answered(key, response, head)
    if error := value.get("error"):
        code = str(error.get("code") or "") if isinstance(error, dict) else ""
        if code.startswith("batch_"):  # batch_expired, batch_cancelled
            return AnswerLine(key, unasked=f"{code}: {error.get('message') or ''}", body=head)
        return AnswerLine(key, error=error_inside({"error": error}), body=head)
    return AnswerLine(key, body=head)


def _answered(key: str, response: Mapping[str, Any], head: bytes) -> AnswerLine:
    body = response.get("body", response if "choices" in response else None)
    if isinstance(body, str):
        body = read_body(body.encode())
    status = response.get("status_code")
    if isinstance(status, int) and not 200 <= status < 300:
        answer = Answer(status, "", {}, json.dumps(body).encode())
        return AnswerLine(key, error=error_of(answer), body=head)
    return AnswerLine(key, body, error_inside(body), body=head)
