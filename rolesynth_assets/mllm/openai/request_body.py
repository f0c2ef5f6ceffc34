"""The bytes of a request: JSON, into which pictures are put as they are.

A data URL of a photograph has half a million characters, none of which JSON escapes; to encode it
as JSON for each request of the picture would take longer than all the rest.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

_HOLE = secrets.token_hex(16)
"""Placeholder of a picture until the rest is JSON; no text of a model or a user can contain it."""


def request_body(fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the body of a chat request.

    Args:
        fields: the fields beside the messages.
        messages: the messages, whose pictures are data URLs.
    """
    urls: list[str] = []
    bare = [{**message, "content": _without_urls(message["content"], urls)} for message in messages]
    first, *rest = json.dumps({**fields, "messages": bare}).encode().split(_HOLE.encode())
    pieces = [first]
    for url, piece in zip(urls, rest, strict=True):
        pieces += (url.encode("ascii"), piece)
    return b"".join(pieces)


def _without_urls(content: Any, urls: list[str]) -> Any:
    """Return a message's content with holes for its pictures, which are added to `urls`."""
    if isinstance(content, str):
        return content
    parts = []
    for part in content:
        if part["type"] == "image_url":
            urls.append(part["image_url"]["url"])
            part = {**part, "image_url": {**part["image_url"], "url": _HOLE}}
        parts.append(part)
    return parts
