"""An OpenAI-compatible server on the loopback whose faults are chosen per request.

In a test:

    with StubServer(answer=lambda request: "a red apple") as server:
        engine = OpenAIEngine(EngineSettings(engine="openai", model="stub", base_url=server.url))

By hand: `python -m rolesynth_assets_tests.mllm.stub_server --port 8000`
"""

import argparse
import asyncio
import json
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiohttp import web


@dataclass(frozen=True)
class StubRequest:
    """A chat or images request as it arrived; `attempt` counts how often its payload has come."""

    payload: dict[str, Any]
    ordinal: int
    attempt: int
    authorization: str
    arrived: float
    proxy_authorization: str = ""
    cookies: str = ""
    peer: object = None

    @property
    def text(self) -> str:
        """The last user message's text, or the instruction for an image."""
        if "prompt" in self.payload:
            return self.payload["prompt"]
        content = self.payload["messages"][-1]["content"]
        return content if isinstance(content, str) else content[-1]["text"]


@dataclass(frozen=True)
class Fault:
    """What goes wrong; `status` answers an error body, the others a special kind of 200."""

    kind: Literal[
        "status",
        "hang",
        "drip",
        "drop",
        "broken_json",
        "closed_body",
        "html",
        "no_choices",
        "length",
        "abort",
        "refusal",
        "content_filter",
        "empty",
    ]
    status: int = 500
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


Answer = Callable[[StubRequest], str | dict[str, Any] | bytes]
"""The text of an answer, what overrides the fields of its completion, or the whole body."""
Faults = Callable[[StubRequest], Fault | None]
Draw = Callable[[StubRequest], bytes | dict[str, Any]]
"""An encoded image, or the first item of `data` as it shall be sent."""


def every_time(fault: Fault) -> Faults:
    """Fail each attempt of each request."""
    return lambda request: fault


def first_attempts(count: int, fault: Fault) -> Faults:
    """Fail the first `count` attempts of each request."""
    return lambda request: fault if request.attempt < count else None


class StubServer:
    """Serves /v1/chat/completions, /v1/images/generations and /v1/models from its own thread."""

    def __init__(
        self,
        answer: Answer = lambda request: "a small red apple on a table",
        faults: Faults = lambda request: None,
        *,
        draw: Draw = lambda request: {},
        models: Sequence[dict[str, Any]] | None = ({"id": "stub", "object": "model"},),
        models_fault: Fault | None = None,
        metrics: Sequence[str] = (),
        delay_s: float = 0.0,
        api_key: str | None = None,
        port: int = 0,
    ) -> None:
        self.answer = answer
        self.faults = faults
        self.draw = draw
        self.models = models
        self.models_fault = models_fault
        self.delay_s = delay_s
        self.api_key = api_key
        self.requests: list[StubRequest] = []
        self.image_requests: list[StubRequest] = []
        self.metrics = list(metrics)
        self.metrics_calls: list[str] = []
        self.model_calls = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.aborted = 0
        self._seen: Counter[str] = Counter()
        self._port = port
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def payloads(self) -> list[dict[str, Any]]:
        return [request.payload for request in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the stub server did not start within 10 s")
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/images/generations", self._images)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_get("/metrics", self._show_metrics)
        self.add_routes(app)
        # Handlers are cancelled when the client goes away: that is how cancelling is observed.
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        self._port = runner.addresses[0][1]
        self._ready.set()
        await self._stop.wait()
        await runner.cleanup()

    def add_routes(self, app: web.Application) -> None:
        """Serve more; for servers of other APIs beside these."""

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        self.model_calls += 1
        if refused := self._refuse_key(request):
            return refused
        if self.models_fault:
            return await self._fail(self.models_fault, request)
        if self.models is None:
            return web.json_response({"detail": "Not Found"}, status=404)
        return web.json_response({"object": "list", "data": list(self.models)})

    async def _show_metrics(self, request: web.Request) -> web.StreamResponse:
        """Answer with the next of the metrics; without any there is no such page."""
        self.metrics_calls.append(request.headers.get("Authorization", ""))
        if not self.metrics:
            return web.Response(status=404)
        return web.Response(text=self.metrics.pop(0))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        def answer(chat: StubRequest) -> web.Response:
            made = self.answer(chat)
            if isinstance(made, bytes):
                return web.Response(body=made, content_type="application/json")
            if isinstance(made, dict):
                return web.json_response(completion(chat.payload, "") | made)
            return web.json_response(completion(chat.payload, made))

        return await self._serve_one(request, self.requests, answer)

    async def _images(self, request: web.Request) -> web.StreamResponse:
        def answer(asked: StubRequest) -> web.Response:
            drawn = self.draw(asked)
            if isinstance(drawn, bytes):
                drawn = {"b64_json": b64encode(drawn).decode()}
            return web.json_response({"created": 1, "data": [drawn]})

        return await self._serve_one(request, self.image_requests, answer)

    async def _serve_one(
        self,
        request: web.Request,
        seen: list[StubRequest],
        answer: Callable[[StubRequest], web.Response],
    ) -> web.StreamResponse:
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            return await self._reply(request, seen, answer)
        except asyncio.CancelledError:
            self.aborted += 1
            raise
        finally:
            self.in_flight -= 1

    async def _reply(
        self,
        request: web.Request,
        seen: list[StubRequest],
        answer: Callable[[StubRequest], web.Response],
    ) -> web.StreamResponse:
        payload = await request.json()
        identity = json.dumps(payload, sort_keys=True)
        arrived = StubRequest(
            payload=payload,
            ordinal=len(seen),
            attempt=self._seen[identity],
            authorization=request.headers.get("Authorization", ""),
            arrived=time.monotonic(),
            proxy_authorization=request.headers.get("Proxy-Authorization", ""),
            cookies=request.headers.get("Cookie", ""),
            peer=request.transport and request.transport.get_extra_info("peername"),
        )
        self._seen[identity] += 1
        seen.append(arrived)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if refused := self._refuse_key(request):
            return refused
        fault = self.faults(arrived)
        if fault is not None:
            return await self._fail(fault, request, arrived)
        return answer(arrived)

    def _refuse_key(self, request: web.Request) -> web.Response | None:
        sent = request.headers.get("Authorization", "")
        if self.api_key is None or sent == f"Bearer {self.api_key}":
            return None
        # As careless as some real servers: the key comes back in the message.
        error = {"message": f"Incorrect API key provided: {sent}", "code": "invalid_api_key"}
        return web.json_response({"error": error}, status=401)

    async def _fail(
        self, fault: Fault, request: web.Request, chat: StubRequest | None = None
    ) -> web.StreamResponse:
        match fault.kind:
            case "status":
                text = fault.body or json.dumps({"error": {"message": "injected fault"}})
                return web.Response(
                    text=text,
                    status=fault.status,
                    headers=fault.headers,
                    content_type="application/json",
                )
            case "hang":
                await asyncio.sleep(3600)
            case "drip":
                return await self._drip(request)
            case "drop":
                assert request.transport is not None
                request.transport.abort()
            case "broken_json":
                return web.Response(text='{"choices": [{"mess', content_type="application/json")
            case "html":
                page = fault.body or "<html><body>Sign in to the gateway</body></html>"
                return web.Response(text=page, content_type="text/html")
            case "no_choices":
                return web.json_response({"object": "chat.completion", "choices": []})
        payload = chat.payload if chat else {}
        body = completion(payload, str(self.answer(chat)) if chat else "")
        choice = body["choices"][0]
        match fault.kind:
            case "closed_body":
                return await self._close_in_the_middle(request, json.dumps(body).encode())
            case "length" | "abort":
                choice["finish_reason"] = fault.kind
            case "refusal":
                choice["message"] |= {"content": None, "refusal": "I cannot help with that."}
            case "content_filter":
                choice["finish_reason"] = "content_filter"
                choice["message"]["content"] = ""
            case "empty":
                choice["message"]["content"] = "  \n"
        return web.json_response(body)

    async def _close_in_the_middle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
        return response

    async def _drip(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)


def completion(payload: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a chat completion's body as vLLM and the hosted API write it."""
    words = len(text.split())
    prompt = len(json.dumps(payload.get("messages", [])).split())
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1,
        "model": payload.get("model", ""),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": words,
            "total_tokens": prompt + words,
        },
    }


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stub OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--text", default="a small red apple on a table")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with StubServer(
        lambda request: arguments.text, port=arguments.port, delay_s=arguments.delay
    ) as server:
        print(f"ROLESYNTH_ENGINE=openai ROLESYNTH_MODEL=stub ROLESYNTH_BASE_URL={server.url}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"answered {len(server.requests)} requests")


if __name__ == "__main__":
    main()
