"""The Batch API of an OpenAI-compatible provider: files, batches and their states.

`/files` takes a file of requests, a line each (at most 50,000 lines and 200 MB at OpenAI), and
`/batches` runs it within 24 hours. A batch is `validating`, then `in_progress`, `finalizing` and
`completed`; it may end as `failed` (its file was refused), `expired` or `cancelled`, the last two
with the answers that there are. Answers and errors of single requests come in two files, in any
order (platform.openai.com/docs/guides/batch).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rolesynth_assets.mllm.batch.file_transfer import FileTransfer
from rolesynth_assets.mllm.engine import EngineError, FailureReason
from rolesynth_assets.mllm.openai.completion_body import read_body
from rolesynth_assets.mllm.openai.faults import FaultReader, RejectedFault, RetryableFault
from rolesynth_assets.mllm.openai.retries import Backoff, retried
from rolesynth_assets.mllm.openai.server_error import ServerError, error_of
from rolesynth_assets.mllm.openai.transport.connection import FAILED, Answer

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
"""States of a batch of which nothing more comes."""
_NO_SUCH_PAGE = frozenset({404, 405, 501})
_PAGES = 100
"""Pages of a list that are searched, of a hundred entries each."""
_LIMIT_CODES = frozenset({"token_limit_exceeded", "batch_limit_exceeded", "rate_limit_exceeded"})
_LIMIT_WORDS = "enqueued token limit"


@dataclass(frozen=True)
class Look:
    """What a server says of a batch.

    Attributes:
        batch_id: its id.
        status: its state, in lower case, spelt as OpenAI spells it.
        file_id: the file of its requests.
        output_id: the file of its answers; empty if there is none.
        error_id: the file of its errors; empty if there is none.
        words: why it failed; empty if it did not.
        over_limit: whether it failed because the server has too much in its queue.
        done: requests that were answered.
        failed: requests that failed.
    """

    batch_id: str
    status: str
    file_id: str = ""
    output_id: str = ""
    error_id: str = ""
    words: str = ""
    over_limit: bool = False
    done: int = 0
    failed: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in ENDED

    @property
    def refused(self) -> bool:
        """Whether the server refused the whole batch, so that nothing was asked or paid."""
        return self.status == "failed" and not (self.output_id or self.error_id)


class UnknownBatchError(EngineError):
    """The server does not know a batch or a file."""


class RefusedError(EngineError):
    """The server refuses a file or a batch as it is."""


class NoListError(EngineError):
    """The server does not list files or batches."""


class BatchApi:
    """One provider's Batch API, within one event loop."""

    def __init__(
        self, connection: FileTransfer, faults: FaultReader, backoff: Backoff, max_retries: int
    ) -> None:
        self._connection, self._faults = connection, faults
        self._backoff, self._max_retries = backoff, max_retries

    async def upload(self, file: Path, name: str) -> str:
        """Send a file of requests and return its id.

        Raises:
            RetryableFault: there was no answer after all attempts.
            EngineError: the server takes no such file.
        """
        tried = False

        async def attempt() -> str:
            nonlocal tried
            if tried and (found := await self.find_file(name, file.stat().st_size)):
                return found
            tried = True
            fields = {"purpose": "batch"}
            value = await self._once(lambda: self._connection.upload("/files", fields, file, name))
            return self._id(value, "file")

        return await retried(attempt, self._max_retries, self._backoff)

    async def find_file(self, name: str, size: int) -> str:
        """Return the id of an uploaded file by its name and size; empty if there is none."""
        try:
            async for entry in self._list("/files?purpose=batch&"):
                if entry.get("filename") == name and entry.get("bytes") in (size, None):
                    return self._id(entry, "file")
        except NoListError:
            pass
        return ""

    async def create(self, file_id: str, name: str) -> Look:
        """Ask once for a batch of an uploaded file.

        Raises:
            RetryableFault: there was no answer, or the server is busy or has too much in its queue.
            EngineError: the server refuses it.
        """
        asked = {
            "input_file_id": file_id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"rolesynth": name},
        }
        body = json.dumps(asked).encode()
        value = await self._once(lambda: self._connection.post("/batches", body))
        return self._look(value)

    async def find(self, file_id: str) -> Look | None:
        """Return the batch that was made of a file; None if there is none.

        Raises:
            NoListError: the server does not list its batches.
        """
        async for entry in self._list("/batches?"):
            if entry.get("input_file_id") == file_id:
                return self._look(entry)
        return None

    async def look(self, batch_id: str) -> Look:
        """Return what the server says of a batch.

        Raises:
            RetryableFault: there was no answer after all attempts.
            UnknownBatchError: the server does not know it.
        """
        return self._look(await self._repeated(lambda: self._get(f"/batches/{batch_id}")))

    async def cancel(self, batch_id: str) -> Look:
        """Cancel a batch; what is answered already is kept and paid.

        Raises:
            EngineError: the server refuses.
        """
        path = f"/batches/{batch_id}/cancel"
        return self._look(await self._repeated(lambda: self._connection.post(path, b"{}")))

    async def download(self, file_id: str, to: Path, max_bytes: int) -> None:
        """Write a file's content to the disk.

        Raises:
            RetryableFault: there was no whole answer after all attempts.
            UnknownBatchError: the server does not have it.
        """
        path = f"/files/{file_id}/content"

        async def attempt() -> None:
            await self._answered(lambda: self._connection.download(path, to, max_bytes))

        await retried(attempt, self._max_retries, self._backoff)

    async def delete_file(self, file_id: str) -> bool:
        """Delete a file; return whether it is gone, which no work depends on."""
        try:
            answer = await self._connection.delete(f"/files/{file_id}")
        except FAILED:
            return False
        return not answer.is_error

    async def _list(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        after = ""
        for _ in range(_PAGES):
            where = f"{path}limit=100{after}"
            try:
                page = await self._repeated(lambda where=where: self._get(where))
            except UnknownBatchError as error:
                raise NoListError(str(error)) from None
            entries = page.get("data") if isinstance(page, dict) else page
            entries = [e for e in entries or () if isinstance(e, dict)]
            for entry in entries:
                yield entry
            if not isinstance(page, dict) or not page.get("has_more") or not entries:
                return
            after = f"&after={page.get('last_id') or entries[-1].get('id')}"

    async def _get(self, path: str) -> Answer:
        return await self._connection.get(path)

    async def _repeated(self, send: Callable[[], Awaitable[Answer]]) -> Any:
        return await retried(lambda: self._once(send), self._max_retries, self._backoff)

    async def _once(self, send: Callable[[], Awaitable[Answer]]) -> Any:
        """Send once and return the answer as a value."""
        answer = await self._answered(send)
        value = read_body(answer.body)
        if not isinstance(value, dict | list):
            raise self._faults.senseless("answer of a Batch API", answer.body)
        return value

    async def _answered(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await send()
        except FAILED as error:
            fault: Exception = self._faults.read(error)
        else:
            if not answer.is_error:
                return answer
            fault = self._fault(error_of(answer))
        raise fault  # outside of the handler, whose exception may have the key

    def _fault(self, error: ServerError) -> Exception:
        said = self._faults.redact(str(error))
        if error.status in _NO_SUCH_PAGE:
            return UnknownBatchError(
                f"{self._faults.base_url} does not have what was asked for ({said}). If it has no "
                f"Batch API, set {self._faults.names.engine} to openai. If the key is of another "
                "project than the one that submitted the batch, set that key. If the batch is "
                "gone, `rolesynth batches forget ID` lets its requests be asked anew."
            )
        if error.code in _LIMIT_CODES or _LIMIT_WORDS in error.words.lower():
            return RetryableFault(FailureReason.CALL_FAILED, said, answered=True, busy=True)
        fault = self._faults.of_server(error)
        if isinstance(fault, RejectedFault):
            return RefusedError(f"{self._faults.base_url} refuses the batch: {said}")
        return fault

    def _id(self, value: Any, kind: str) -> str:
        if isinstance(value, dict) and isinstance(value.get("id"), str) and value["id"]:
            return value["id"]
        raise self._faults.senseless(f"{kind} with an id", json.dumps(value).encode())

    def _look(self, value: Any) -> Look:
        if isinstance(value, dict) and isinstance(value.get("job"), dict):
            value = value["job"]  # Together puts it there
        batch_id = self._id(value, "batch")
        status = str(value.get("status") or "").lower().replace("canceled", "cancelled")
        counts = value.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        words, over = _errors(value.get("errors") or value.get("error"))
        return Look(
            batch_id,
            status,
            _text(value.get("input_file_id")),
            _text(value.get("output_file_id")),
            _text(value.get("error_file_id")),
            self._faults.redact(words),
            over,
            _count(counts.get("completed")),
            _count(counts.get("failed")),
        )


def _errors(errors: Any) -> tuple[str, bool]:
    """Return the words of a failed batch, and whether it was one too many."""
    listed = errors.get("data") or [errors] if isinstance(errors, Mapping) else errors
    if isinstance(listed, str):
        return listed, _LIMIT_WORDS in listed.lower()
    said, over = [], False
    for error in listed if isinstance(listed, list) else ():
        if not isinstance(error, Mapping):
            said.append(str(error))
            continue
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
        line = f" (line {error['line']})" if error.get("line") is not None else ""
        if code or message:
            said.append(f"{': '.join(filter(None, (code, message)))}{line}")
        over |= code in _LIMIT_CODES or _LIMIT_WORDS in message.lower()
    return "; ".join(said), over


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
