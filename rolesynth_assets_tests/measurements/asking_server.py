"""A chat server that answers at once and costs little, for measurements of what asking costs.

It runs in a process of its own, so that its processor time is not counted, and speaks as much HTTP
as its clients need: requests with a length, connections that stay open.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

MODEL = "stub"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TEXT = (
    "A small red kite rises above the grey roofs of a harbour town, number {number}, while two "
    "children in yellow coats hold its long string and a white dog watches them from a wet bench "
    "beside a closed wooden kiosk in the soft light of an early spring morning."
)


_SCORE = "{number}\nThe caption names what the picture shows."
_JUDGED = b"1 to 100"
"""Words of the judge's prompt alone."""


def completion(number: int, judged: bool) -> bytes:
    """Return the body of the numbered answer, as vLLM writes it: a caption, or a judge's score."""
    text = _SCORE.format(number=number % 100 + 1) if judged else _TEXT.format(number=number)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    usage = {"prompt_tokens": 420, "completion_tokens": 58, "total_tokens": 478}
    made = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1, "model": MODEL}
    return json.dumps({**made, "choices": [choice], "usage": usage}).encode()


class _Server(asyncio.Protocol):
    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._got = transport, bytearray()
        self._need = 0

    def data_received(self, data: bytes) -> None:
        self._got += data
        while self._got:
            if not self._need:
                end = self._got.find(b"\r\n\r\n")
                if end < 0:
                    return
                length = _LENGTH.search(self._got, 0, end)
                self._need = end + 4 + (int(length[1]) if length else 0)
            if len(self._got) < self._need:
                return
            request = bytes(self._got[: self._need])
            del self._got[: self._need]
            self._need = 0
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        status, body = b"404 Not Found", b""
        if request.startswith(b"POST"):
            _Server.answered += 1
            status, body = b"200 OK", completion(_Server.answered, _JUDGED in request)
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % (status, len(body)) + body)


def _serve(report: Connection) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        report.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


@contextmanager
def serving() -> Iterator[str]:
    """Run the server in another process; yield its address, which ends in /v1."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}/v1"
    finally:
        process.terminate()
        process.join()
