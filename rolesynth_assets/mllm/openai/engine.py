"""A `ChatEngine` for OpenAI-compatible servers, such as vLLM servers or a hosted API."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Mapping
from typing import Any

from rolesynth_assets.mllm.cost.cache_use import Caches, read_metrics, together
from rolesynth_assets.mllm.engine import (
    Changed,
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    Learned,
    ModelIdentity,
)
from rolesynth_assets.mllm.failure_streak import Health
from rolesynth_assets.mllm.messages import MessageBuilder, UnreadableImageError
from rolesynth_assets.mllm.openai.call import ChatCaller
from rolesynth_assets.mllm.openai.fleet.endpoint import Endpoint
from rolesynth_assets.mllm.openai.fleet.fleet import Fleet
from rolesynth_assets.mllm.openai.fleet.served import ServedModel
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.openai.revision import run_aside
from rolesynth_assets.mllm.openai.transport.connection import FAILED, Connection
from rolesynth_assets.mllm.settings import EngineSettings, is_openais_own

_METRICS_TIMEOUT_S = 5.0
_METRICS_BYTES = 4 * 2**20
"""Bytes of metrics that are read; vLLM has some 100 kB."""


class OpenAIEngine:
    """An engine that sends several requests at a time to one server or to several, with retries.

    A request never raises: it ends as a reply with text or with a `FailureReason`. A fault that
    would make every request fail raises one `EngineError` instead.
    """

    def __init__(self, settings: EngineSettings, backoff: Backoff | None = None) -> None:
        if not settings.model or not settings.base_url:
            names = settings.names
            missing = names.base_url if settings.model else names.model
            raise EngineError(
                f"The {settings.engine} engine needs {missing}: set "
                f"{names.base_url} to an OpenAI-compatible server, such as "
                f"http://127.0.0.1:8000/v1, and {names.model} to the name of the model it serves."
            )
        secret = settings.api_key.get_secret_value() if settings.api_key else None
        self._settings = settings
        self._model: str = settings.model
        self._fleet = Fleet(
            [Endpoint(settings, url, settings.model, secret) for url in settings.base_urls]
        )
        backoff = backoff or Backoff()
        self._caller = ChatCaller(settings, settings.model, self._fleet, backoff)
        self._served = ServedModel(settings, self._fleet, backoff)
        self._messages = MessageBuilder(settings.pixel_budget)
        self._health = Health.of(settings.concurrency * len(self._fleet.endpoints))
        self._revision: str | None = None
        self._settled = settings.learned
        self._running: set[asyncio.Task[ChatReply]] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f"OpenAIEngine(model={self._model!r}, base_url={self._settings.base_url!r})"

    @property
    def identity(self) -> ModelIdentity:
        """Name and revision; asks the server once unless the settings name the revision.

        Several servers are asked in any case, whether they serve the same model.

        The first access may block for that request, so read it before an event loop is busy. The
        revision names what changes the answers: fields of the user, and fields that the server was
        known to refuse when the engine was made or last settled.

        Raises:
            EngineError: wrong key, no server, no usable answer about its models, or servers of
                different models.
        """
        named = self._settings.revision
        if self._revision is None:
            if named and not self._fleet.several:
                self._revision = named
            else:
                found = run_aside(self._served.revision())
                self._revision = named or found
        suffix = self._settings.revision_suffix + self._settled.revision_suffix
        return ModelIdentity("openai", self._model, self._revision + suffix)

    @property
    def learned(self) -> Learned:
        """What this engine knows of the server, without `answered_by`."""
        return self._caller.dialect.learned

    def settle(self, changed: Changed | None = None) -> None:
        """Make what was learned part of `identity`; see `LearningEngine.settle`."""
        self._settled = self.learned
        self._caller.watch(changed)

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncGenerator[ChatReply, None]:
        """Yield one reply per request as they arrive, at most `concurrency` in flight at a server.

        A reply is yielded before another request takes its place, so the consumer lacks the replies
        of at most so many requests. Leaving the iteration (closing the generator, cancelling
        its task) cancels the calls in flight.

        Raises:
            EngineError: wrong key, unknown model, no server, or a server that stopped answering.
        """
        if self._closed:
            raise EngineError("This engine is closed; make a new one.")
        source = iter(requests)
        flight = _Flight(self._running)
        held: list[ChatReply] = []  # rejections, until another reply proves that the model works
        limits = self._settings.timeout_s, self._settings.max_reply_bytes
        async with self._fleet.connected(*limits, self._served.look) as connections:
            try:
                await self._fill(flight, source, connections)
                while flight.size:
                    replies, error = _results(await flight.landed())
                    for reply in replies:
                        if self._health.note(reply):
                            yield reply
                        else:
                            held.append(reply)
                    self._stop_if(error)
                    # after the replies are yielded: otherwise a kill would lose more calls
                    await self._fill(flight, source, connections)
                    if self._health.proven or not flight.size:
                        for reply in held:
                            yield reply
                        held.clear()
            finally:
                await flight.cancel()

    async def caches(self) -> Caches | None:
        """Return what vLLM counts at `/metrics` beside `/v1` of each server; None for any other."""
        if self._closed:
            return None
        limit_s = min(self._settings.timeout_s, _METRICS_TIMEOUT_S)
        asked = [_caches_of(endpoint, limit_s) for endpoint in self._fleet.endpoints]
        return together(await asyncio.gather(*asked))

    async def aclose(self) -> None:
        """Cancel calls in flight; further calls of `complete` raise."""
        self._closed = True
        await _cancel(self._running)
        self._running.clear()

    async def _fill(
        self,
        flight: "_Flight",
        source: Iterator[ChatRequest],
        connections: Mapping[Endpoint, Connection],
    ) -> None:
        """Take as many requests as may be in flight, encoding their images one by one."""
        build = self._messages.build
        most = self._settings.concurrency * len(self._fleet.healthy)
        while flight.size < most:
            request = next(source, None)
            if request is None:
                return
            try:
                if self._messages.knows(request.images):
                    messages = build(request)
                else:  # decoding and encoding of an image would hold up all others
                    messages = await asyncio.to_thread(build, request)
            except UnreadableImageError as error:
                flight.add(_unsent(request.key, str(error)))
            else:
                flight.add(self._caller.answer(connections, request, messages))

    def _stop_if(self, error: BaseException | None) -> None:
        """Raise an error after which no request can succeed."""
        if error is not None:
            raise error
        if self._health.failing:
            raise EngineError(
                f"{self._health.failures_in_a_row} requests in a row failed at "
                f"{self._settings.base_url} (the last: {self._health.last_failure}). Look at the "
                f"server and its limits; if it is slow or busy, lower "
                f"{self._settings.names.concurrency} or raise {self._settings.names.timeout_s}. "
                "Then run again: captions, scores and problems that were answered are kept."
            )


async def _caches_of(endpoint: Endpoint, limit_s: float) -> Caches | None:
    """Return what one vLLM server counts; None for any other."""
    if is_openais_own(endpoint.url):
        return None
    root, secret = endpoint.url.removesuffix("/v1"), endpoint.faults.secret
    try:
        async with Connection(root, secret, limit_s, _METRICS_BYTES) as connection:
            answer = await connection.get("/metrics")
    except FAILED:
        return None
    return None if answer.is_error else read_metrics(answer.body.decode("utf-8", "replace"))


async def _unsent(key: str, detail: str) -> ChatReply:
    """Answer a request that cannot be sent."""
    return ChatReply(key, None, FailureReason.REJECTED, detail)


class _Flight:
    """The calls of one iteration that are in flight, or landed and not yet taken."""

    def __init__(self, of_engine: set[asyncio.Task[ChatReply]]) -> None:
        """Begin without calls; `of_engine` are those of all iterations."""
        self._of_engine = of_engine
        self._mine: set[asyncio.Task[ChatReply]] = set()
        self._landed: list[asyncio.Task[ChatReply]] = []
        self._some = asyncio.Event()

    @property
    def size(self) -> int:
        """The number of calls."""
        return len(self._mine)

    def add(self, call: Coroutine[Any, Any, ChatReply]) -> None:
        """Begin a call."""
        task = asyncio.get_running_loop().create_task(call)
        self._mine.add(task)
        self._of_engine.add(task)
        task.add_done_callback(self._land)

    async def landed(self) -> list[asyncio.Task[ChatReply]]:
        """Wait for calls that have ended, and take them."""
        await self._some.wait()
        self._some.clear()
        taken, self._landed = self._landed, []
        self._mine.difference_update(taken)
        self._of_engine.difference_update(taken)
        return taken

    async def cancel(self) -> None:
        """Cancel the calls and wait until they are gone."""
        self._of_engine -= self._mine
        await _cancel(self._mine)

    def _land(self, task: asyncio.Task[ChatReply]) -> None:
        self._landed.append(task)
        self._some.set()


def _results(
    done: Iterable[asyncio.Task[ChatReply]],
) -> tuple[list[ChatReply], BaseException | None]:
    """Split finished tasks into replies and the first error, so that no paid answer is lost."""
    replies: list[ChatReply] = []
    error: BaseException | None = None
    for task in done:
        if task.cancelled():
            error = error or EngineError("The engine was closed while requests were in flight.")
        elif failure := task.exception():
            error = error or failure
        else:
            replies.append(task.result())
    return replies, error


async def _cancel(tasks: set[asyncio.Task[ChatReply]]) -> None:
    """Cancel tasks and wait until they are gone."""
    pending = list(tasks)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
