"""A connection that also sends and fetches files, which stream from and to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from rolesynth_assets.mllm.openai.transport.bounded_body import pieces_of, read_bounded
from rolesynth_assets.mllm.openai.transport.connection import Answer, Connection

_SLOWEST = 50_000
"""Bytes a second of the slowest upload that is waited for."""


class FileTransfer(Connection):
    """A `Connection` for the files of a Batch API."""

    async def upload(self, path: str, fields: Mapping[str, str], file: Path, name: str) -> Answer:
        """Send a file as a form, and return the answer, whatever its status.

        Args:
            path: of the address.
            fields: further fields of the form.
            file: the file.
            name: the file's name at the server.

        Raises:
            one of `FAILED`: there is no answer, or none in time.
        """
        limit_s = max(self._timeout_s, file.stat().st_size / _SLOWEST)
        with file.open("rb") as content:
            form = aiohttp.FormData(fields)
            form.add_field("file", content, filename=name, content_type="application/jsonl")
            body = form()
            headers = {"Content-Type": str(body.headers["Content-Type"])}
            async with (
                asyncio.timeout(limit_s),
                self._open().post(
                    self._base_url + path, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                return await self._answer(response)

    async def download(self, path: str, to: Path, max_bytes: int) -> Answer:
        """Write the body of an answer to a file; the returned answer has one only if it failed.

        Raises:
            one of `FAILED`: it ends early, nothing comes for the time limit, or it is longer than
                `max_bytes`.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_read=self._timeout_s)
        async with self._open().get(
            self._base_url + path, allow_redirects=False, timeout=limits
        ) as response:
            if not 200 <= response.status < 300:
                return await self._answer(response)
            with to.open("wb") as file:
                async for piece in pieces_of(response, max_bytes):
                    file.write(piece)
            return Answer(response.status, response.reason or "", response.headers, b"")

    async def delete(self, path: str) -> Answer:
        """Return the answer to a request to delete something; see `post`."""
        return await self._ask("DELETE", path, None)

    async def _answer(self, response: aiohttp.ClientResponse) -> Answer:
        body = await read_bounded(response, self._max_bytes)
        return Answer(response.status, response.reason or "", response.headers, body)
