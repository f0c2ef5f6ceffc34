"""A client of one OpenAI-compatible server that sends keys and requests to no other server.

A redirect is an answer like any other and is not followed, no cookie is kept, no password file is
read, and variables named OPENAI_* are used only for OpenAI's own address. It sends bytes and
returns bytes: models are asked some thousand times a second, and what is asked and answered is
known to its callers.
"""

from __future__ import annotations

import asyncio
import os
import platform
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

import aiohttp

from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.openai.transport.bounded_body import (
    ACCEPTED,
    BodyTooLargeError,
    read_bounded,
)
from rolesynth_assets.mllm.openai.transport.proxies import proxy_for
from rolesynth_assets.mllm.settings import is_openais_own

FAILED = (TimeoutError, OSError, aiohttp.ClientError, BodyTooLargeError)
"""What `Connection.post` and `get` raise if there is no answer."""

_NO_KEY = "none"
"""Placeholder key: some gateways require a key, even if the server behind them needs none."""
_CONNECT_TIMEOUT_S = 10.0
_KEPT_OPEN_S = 4.0
"""Seconds for which an idle connection is used again; uvicorn, which vLLM runs in, closes it after
five, and a request sent at that moment would be lost."""
_OPENAIS_VARIABLES = {
    "OPENAI_ORG_ID": "OpenAI-Organization",
    "OPENAI_PROJECT_ID": "OpenAI-Project",
}


@dataclass(frozen=True, repr=False)
class Answer:
    """What a server answers; the names of its headers are found in any case.

    Attributes:
        status: HTTP status.
        phrase: the status in the server's words.
        headers: the headers.
        body: the body, unpacked.
    """

    status: int
    phrase: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_error(self) -> bool:
        """Whether the status is none of success."""
        return not 200 <= self.status < 300


class Connection:
    """Connections to one server, within one event loop; a context closes them."""

    def __init__(self, base_url: str, secret: str | None, timeout_s: float, max_bytes: int) -> None:
        """Connect to nothing yet.

        Args:
            base_url: address of the server.
            secret: the key; None if the server needs none.
            timeout_s: seconds that an answer may take, from connecting to its last byte.
            max_bytes: largest number of decompressed bytes of an answer; a longer one raises
                `BodyTooLargeError`.

        Raises:
            EngineError: the key cannot be sent, or the proxy's kind is not supported.
        """
        self.headers = _headers(base_url, secret)
        self._base_url, self._timeout_s, self._max_bytes = base_url, timeout_s, max_bytes
        self._proxy = proxy_for(base_url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, path: str, body: bytes) -> Answer:
        """Send JSON and return the answer, whatever its status.

        Raises:
            one of `FAILED`: there is no answer, or none in time, or it is too long.
        """
        return await self._ask("POST", path, body)

    async def get(self, path: str) -> Answer:
        """Return the answer to a request without a body; see `post`."""
        return await self._ask("GET", path, None)

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        # the client's own limits count reads; a server that sends bytes slowly never exceeds them
        async with asyncio.timeout(self._timeout_s):
            session, url = self._open(), self._base_url + path
            async with session.request(method, url, data=body, allow_redirects=False) as response:
                return Answer(
                    response.status,
                    response.reason or "",
                    response.headers,
                    await read_bounded(response, self._max_bytes),
                )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connect_s = min(self._timeout_s, _CONNECT_TIMEOUT_S)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,  # the caller has a window
                    ssl=_trust(self._base_url, self._proxy or ""),
                    keepalive_timeout=_KEPT_OPEN_S,
                ),
                headers=self.headers,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                proxy=self._proxy,
            )
        return self._session


def _trust(*addresses: str) -> ssl.SSLContext | bool:
    """Return the certificates that are trusted: SSL_CERT_FILE, SSL_CERT_DIR, or the system's."""
    if not any(address.startswith("https:") for address in addresses):
        return True
    return _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    if not (file or folder) and platform.system() in ("Darwin", "Windows"):
        import truststore

        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()  # reads the variables itself
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _headers(base_url: str, secret: str | None) -> dict[str, str]:
    if secret and not secret.isprintable():
        raise EngineError(
            f"The key for {base_url} has a line break or another control character in it: set it "
            "again without."
        )
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": ACCEPTED,
        "Authorization": f"Bearer {secret or _NO_KEY}",
        "Content-Type": "application/json",
        "User-Agent": "rolesynth-assets",
    }
    if not is_openais_own(base_url):
        return headers
    for variable, name in _OPENAIS_VARIABLES.items():
        if value := os.environ.get(variable, "").strip():
            headers[name] = value
    for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip()] = value.strip()
    return headers
