"""A client of one OpenAI-compatible server that sends keys and requests to no other server.

The client of the package `openai` follows a redirect to any host, and takes its key, organisation
and headers from variables that are named after OpenAI. Here a redirect is an answer like any other,
and those variables are used only for OpenAI's own address.
"""

from __future__ import annotations

import os
from typing import Any

import openai

from rolesynth_assets.mllm.openai.bounded_body import ACCEPTED, bounded
from rolesynth_assets.mllm.settings import is_openais_own

_NO_KEY = "none"
"""Placeholder key: the client requires a key, even if a local server needs none."""
_CONNECT_TIMEOUT_S = 10.0


def connect(
    base_url: str, secret: str | None, timeout_s: float, max_bytes: int
) -> openai.AsyncOpenAI:
    """Return a client for one event loop; connections cannot move to another one.

    Args:
        base_url: address of the server.
        secret: the key; None if the server needs none.
        timeout_s: seconds after which a read or a write times out.
        max_bytes: largest number of decompressed bytes of an answer; a longer one raises
            `BodyTooLargeError`.
    """
    timeout = openai.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S))
    http = openai.DefaultAsyncHttpxClient(
        timeout=timeout, follow_redirects=False, event_hooks=bounded(max_bytes)
    )
    return openai.AsyncOpenAI(http_client=http, **_options(base_url, secret), timeout=timeout)


def _options(base_url: str, secret: str | None) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "api_key": secret or _NO_KEY,
        "max_retries": 0,  # the engine retries itself, counts attempts and gives a reason
        "default_headers": {"Accept-Encoding": ACCEPTED}
        | ({} if is_openais_own(base_url) else _without_openais(secret)),
    }


def _without_openais(secret: str | None) -> dict[str, Any]:
    """Return headers that override those that the client takes from OPENAI_* variables."""
    lines = os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines()
    named = [line.partition(":")[0].strip() for line in lines if ":" in line]
    undone: dict[str, Any] = dict.fromkeys(named, openai.Omit())
    undone |= dict.fromkeys(("OpenAI-Organization", "OpenAI-Project"), openai.Omit())
    for name in undone:
        if name.lower() == "authorization":
            undone[name] = f"Bearer {secret or _NO_KEY}"
    return undone
