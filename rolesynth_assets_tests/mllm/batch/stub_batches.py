"""A stub server with a Batch API, whose batches end as a test says.

In a test:

    with StubBatches(answer=lambda request: "a red apple") as server:
        engine = OpenAIBatchEngine(settings_of(server))
"""

import json
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from rolesynth_assets.mllm.batch.engine import OpenAIBatchEngine
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets_tests.mllm.stub_server import StubRequest, StubServer, completion

FAST = Backoff(initial_s=0.001, ceiling_s=0.002, retry_after_cap_s=0.05)
Lines = Callable[[list[dict[str, Any]]], list[Any]]
"""Changes the lines of a batch's answers; a line that is text is written as it is."""
Refuse = Callable[[str, str], web.Response | None]
"""Answers a request by its method and path in another way; None answers it as usual."""


class StubBatches(StubServer):
    """Serves files and batches besides chat completions.

    Attributes:
        looks: how often a batch is looked at before it has ended.
        ends: state in which batches end.
        refused: errors of a batch that is refused as a whole, taken one by one.
        fails: the error of a request, as (status, body), by its payload.
        lines: changes the answers' lines.
        refuse: answers a request in another way.
        calls: method and path of each request to the Batch API.
        files: name and content by id.
        batches: batches by id.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.looks = 0
        self.ends = "completed"
        self.refused: list[dict[str, Any]] = []
        self.fails: Callable[[dict[str, Any]], tuple[int, Any] | None] = lambda payload: None
        self.lines: Lines = lambda lines: lines[::-1]
        self.refuse: Refuse = lambda method, path: None
        self.calls: list[str] = []
        self.files: dict[str, tuple[str, bytes]] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []

    def add_routes(self, app: web.Application) -> None:
        for method, path, handler in (
            ("POST", "/v1/files", self._upload),
            ("GET", "/v1/files", self._list_files),
            ("GET", "/v1/files/{id}/content", self._content),
            ("DELETE", "/v1/files/{id}", self._delete),
            ("POST", "/v1/batches", self._create),
            ("GET", "/v1/batches", self._list_batches),
            ("GET", "/v1/batches/{id}", self._show),
            ("POST", "/v1/batches/{id}/cancel", self._cancel),
        ):
            app.router.add_route(method, path, self._noted(handler))

    def count(self, call: str) -> int:
        return sum(made.startswith(call) for made in self.calls)

    def _noted(self, handler: Callable) -> Callable:
        async def noted(request: web.Request) -> web.StreamResponse:
            path = request.path.removeprefix("/v1")
            self.calls.append(f"{request.method} {path}")
            refused = self._refuse_key(request) or self.refuse(request.method, path)
            return refused or await handler(request)

        return noted

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        assert form["purpose"] == "batch"
        sent = form["file"]
        assert isinstance(sent, web.FileField)
        key = f"file-{len(self.files)}"
        self.files[key] = (sent.filename, sent.file.read())
        return web.json_response({"id": key, "object": "file"})

    async def _list_files(self, request: web.Request) -> web.Response:
        listed = [
            {"id": key, "filename": name, "bytes": len(content)}
            for key, (name, content) in self.files.items()
        ]
        return web.json_response({"object": "list", "data": listed, "has_more": False})

    async def _content(self, request: web.Request) -> web.Response:
        if request.match_info["id"] not in self.files:
            return _error(404, "No such File object")
        return web.Response(body=self.files[request.match_info["id"]][1])

    async def _delete(self, request: web.Request) -> web.Response:
        self.files.pop(request.match_info["id"], None)
        return web.json_response({"deleted": True})

    async def _create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert asked["endpoint"] == "/v1/chat/completions"
        assert asked["completion_window"] == "24h"
        _, content = self.files[asked["input_file_id"]]
        key = f"batch_{len(self.batches)}"
        requests = [json.loads(line) for line in content.splitlines()]
        self.asked += [line["custom_id"] for line in requests]
        self.batches[key] = {
            "id": key,
            "object": "batch",
            "status": "validating",
            "input_file_id": asked["input_file_id"],
            "metadata": asked["metadata"],
            "request_counts": {"total": len(requests), "completed": 0, "failed": 0},
            "looks": 0,
        }
        return web.json_response(self.batches[key])

    async def _list_batches(self, request: web.Request) -> web.Response:
        """List one batch a page, the newest first."""
        keys = list(self.batches)[::-1]
        after = request.query.get("after")
        keys = keys[keys.index(after) + 1 :] if after else keys
        page = [self.batches[key] for key in keys[:1]]
        return web.json_response(
            {"data": page, "has_more": len(keys) > 1, "last_id": keys[0] if keys else None}
        )

    async def _show(self, request: web.Request) -> web.Response:
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return _error(404, "No batch found")
        batch["looks"] += 1
        if batch["status"] in ("validating", "in_progress") and batch["looks"] > self.looks:
            self._end(batch)
        elif batch["status"] == "validating":
            batch["status"] = "in_progress"
        return web.json_response(batch)

    async def _cancel(self, request: web.Request) -> web.Response:
        batch = self.batches[request.match_info["id"]]
        batch["status"] = "cancelling"
        return web.json_response(batch)

    def _end(self, batch: dict[str, Any]) -> None:
        if self.refused:
            batch |= {"status": "failed", "errors": {"data": [self.refused.pop(0)]}}
            return
        _, content = self.files[batch["input_file_id"]]
        answers, errors = [], []
        for asked in map(json.loads, content.splitlines()):
            line = {"id": "r", "custom_id": asked["custom_id"], "response": None, "error": None}
            if (failed := self.fails(asked["body"])) is not None:
                status, body = failed
                if status:
                    line["response"] = {"status_code": status, "body": body}
                else:
                    line["error"] = body
                errors.append(line)
                continue
            chat = StubRequest(asked["body"], 0, 0, "", time.monotonic())
            body = completion(asked["body"], str(self.answer(chat)))
            line["response"] = {"status_code": 200, "request_id": "1", "body": body}
            answers.append(line)
        counts = {"completed": len(answers), "failed": len(errors)}
        batch |= {"status": self.ends, "request_counts": batch["request_counts"] | counts}
        for name, lines in (("output", self.lines(answers)), ("error", errors)):
            if lines:
                key = f"{name}-{batch['id']}"
                texts = [one if isinstance(one, str) else json.dumps(one) for one in lines]
                self.files[key] = (f"{key}.jsonl", "\n".join(texts).encode())
                batch[f"{name}_file_id"] = key


def batch_engine(server: StubBatches, **changes: Any) -> OpenAIBatchEngine:
    values: dict[str, Any] = {
        "timeout_s": 5,
        "max_retries": 2,
        "model": "stub",
        "batch_poll_s": 0.001,
    } | changes
    values = {"base_url": server.url} | values
    settings = EngineSettings(engine="openai-batch", **values)
    return OpenAIBatchEngine(settings, FAST)


def _error(status: int, words: str) -> web.Response:
    return web.json_response({"error": {"message": words}}, status=status)
