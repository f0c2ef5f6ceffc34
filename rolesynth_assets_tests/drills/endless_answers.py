"""A server whose answers do not end, for the drill `bombs`; no drill of its own."""

from __future__ import annotations

import asyncio
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Sampling
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.settings import EngineSettings

KINDS = 3
LIMIT = 2**20
MAX_SENT = 64 * 2**20  # what the sockets' buffers hold is sent beyond the limit


class _Server(ThreadingHTTPServer):
    kind = "plain"
    sent = 0


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        return

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400 if self.server.kind == "error" else 200)
        self.send_header("Content-Type", "application/json")
        piece = b'{"choices": "' + b"a" * 2**20
        if self.server.kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
            piece = gzip.compress(bytes(256 * 2**20), 1)
        self.end_headers()
        try:
            for _ in range(1000):
                self.wfile.write(piece)
                self.server.sent += len(piece)
        except OSError:
            return


def ask(kind: str) -> tuple[ChatReply, int]:
    """Ask a server of one kind once; return the reply and the bytes that it could send."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.kind = kind
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    settings = EngineSettings(
        engine="openai", model="m", revision="1", base_url=url, max_reply_bytes=LIMIT
    )
    engine = OpenAIEngine(settings, Backoff(initial_s=0.001, ceiling_s=0.002))
    request = ChatRequest("one", "s", "p", Sampling(0.0, 1.0, 8), seed=1)

    async def run() -> list[ChatReply]:
        return [reply async for reply in engine.complete([request])]

    try:
        [reply] = asyncio.run(run())
    finally:
        server.shutdown()
        server.server_close()
    return reply, server.sent


def count_held() -> int:
    """Return for how many of the `KINDS` the request ends as oversized and reading stops."""
    held = 0
    for kind in ("plain", "gzip", "error"):
        reply, sent = ask(kind)
        held += reply.reason is FailureReason.OVERSIZED and sent < MAX_SENT
    return held
