"""One request to OpenAI-compatible servers, with retries, that always ends in a reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rolesynth_assets.mllm.control_tokens import restored_reply
from rolesynth_assets.mllm.engine import Changed, ChatReply, ChatRequest, FailureReason
from rolesynth_assets.mllm.openai.completion_body import read_body
from rolesynth_assets.mllm.openai.dialect import Dialect
from rolesynth_assets.mllm.openai.faults import (
    EndpointError,
    RejectedFault,
    RetryableFault,
    UnansweredFault,
    UnwantedFault,
)
from rolesynth_assets.mllm.openai.fleet.endpoint import Endpoint
from rolesynth_assets.mllm.openai.fleet.fleet import Fleet
from rolesynth_assets.mllm.openai.reply import read_completion
from rolesynth_assets.mllm.openai.request_body import request_body
from rolesynth_assets.mllm.openai.retries import Backoff, retried
from rolesynth_assets.mllm.openai.server_error import ServerError, error_inside, error_of
from rolesynth_assets.mllm.openai.transport.connection import FAILED, Connection
from rolesynth_assets.mllm.settings import EngineSettings

_MOST_MOVES = 100
"""Times that one attempt goes on at another server because the one before was taken out."""
_MOST_LESSONS = 16
"""Refusals from which one request learns; there are fewer fields to refuse."""


@dataclass
class _Last:
    """The server that was asked last, and the seconds that this took."""

    asked: Endpoint
    seconds: float = 0.0


class ChatCaller:
    """Sends requests to one model; holds no connection.

    What one server refuses is sent to none, so that a row does not depend on who answers it.
    """

    def __init__(
        self, settings: EngineSettings, model: str, fleet: Fleet, backoff: Backoff
    ) -> None:
        self._settings = settings
        self._model = model
        self._fleet = fleet
        self._backoff = backoff
        self.dialect = Dialect(settings)
        self._changed: Changed | None = None
        self._watched = self.dialect.learned
        self._answered = False

    def watch(self, changed: Changed | None) -> None:
        """Raise `changed` if the server refuses what would change the answers from now on."""
        self._changed, self._watched, self._answered = changed, self.dialect.learned, False

    def heard(self) -> None:
        """Note that a request was answered since `watch`."""
        self._answered = True

    async def answer(
        self,
        connections: Mapping[Endpoint, Connection],
        request: ChatRequest,
        messages: list[dict[str, Any]],
    ) -> ChatReply:
        """Send a request until it is answered or its retries are used up.

        Raises:
            EngineError: no request can succeed.
        """
        last = _Last(self._fleet.endpoints[0])

        async def somewhere() -> ChatReply:
            for _ in range(_MOST_MOVES):
                if (reply := await self._attempt(last, connections, request, messages)) is not None:
                    return reply
            raise RetryableFault(FailureReason.CALL_FAILED, "its servers died one after the other")

        async def pause(wait_s: float) -> None:
            with last.asked.silence.waiting():  # the server is as silent as before
                await asyncio.sleep(wait_s)

        try:
            reply = await retried(somewhere, self._settings.max_retries, self._backoff, pause)
        except RetryableFault as fault:
            reply = ChatReply(request.key, None, fault.reason, fault.detail)
        except RejectedFault as fault:
            reply = ChatReply(request.key, None, fault.reason, str(fault))
        sent = reply.sent or self.dialect.sent(
            self.dialect.fields(self._model, request), self.dialect.messages(messages)
        )
        return restored_reply(replace(reply, latency_s=last.seconds, sent=sent), request)

    async def _attempt(
        self,
        last: _Last,
        connections: Mapping[Endpoint, Connection],
        request: ChatRequest,
        messages: list[dict[str, Any]],
    ) -> ChatReply | None:
        """Return the reply; None if the server was taken out, so that another one is asked.

        Raises:
            RetryableFault, RejectedFault, EngineError: the attempt failed.
        """
        async with self._fleet.slot(request.images) as (endpoint, began):
            last.asked = endpoint
            if not request.wanted():
                raise UnwantedFault("no longer wanted; it was not sent")
            try:
                reply = await self._heard_once(endpoint, connections[endpoint], request, messages)
            except RetryableFault as fault:
                if fault.busy:
                    endpoint.window.narrow(began, fault.detail, fault.retry_after_s or 0.0)
                if endpoint.fails(fault) and self._fleet.take_out(endpoint, fault.detail):
                    return None
                raise
            except (EndpointError, UnansweredFault) as error:
                if self._fleet.take_out(endpoint, str(error)):
                    return None
                raise
            finally:
                last.seconds = time.monotonic() - began
            endpoint.window.grow()
            endpoint.heard()
            self.heard()
            return reply

    async def _heard_once(
        self,
        endpoint: Endpoint,
        connection: Connection,
        request: ChatRequest,
        messages: list[dict[str, Any]],
    ) -> ChatReply:
        """Send a request as `_once` does, and measure how long the server has been silent."""
        with endpoint.silence.waiting():
            try:
                reply = await self._once(endpoint, connection, request, messages)
            except RetryableFault as fault:
                endpoint.silence.check(fault)
                raise
            endpoint.silence.heard()
            return reply

    async def _once(
        self,
        endpoint: Endpoint,
        connection: Connection,
        request: ChatRequest,
        messages: list[dict[str, Any]],
    ) -> ChatReply:
        """Send a request and read its reply; what the server refuses is left out, once for all.

        Raises:
            RetryableFault, RejectedFault, EngineError: the attempt failed.
        """
        for lessons in range(_MOST_LESSONS):
            fields = self.dialect.fields(self._model, request)
            turns = self.dialect.messages(messages)
            answer = await self._send(endpoint, connection, fields, turns)
            if not isinstance(answer, ServerError):
                sent = self.dialect.sent(fields, turns)
                return read_reply(endpoint, request, *answer, sent)
            last = lessons + 1 == _MOST_LESSONS
            if last or not self.learn(answer, fields, turns):
                raise endpoint.faults.of_server(answer)
        raise AssertionError("the last round returns or raises")

    def learn(
        self, error: ServerError, fields: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Learn from an error what the server takes; return whether to send the request again.

        Raises:
            EngineError: the server refuses what the user set, or what would change the answers.
        """
        if not self.dialect.learn(error, fields, turns):
            return False
        now = self.dialect.learned
        if self._changed and now.revision_suffix != self._watched.revision_suffix:
            raise self._changed(self._watched, now, self._answered)
        return True

    async def _send(
        self,
        endpoint: Endpoint,
        connection: Connection,
        fields: Mapping[str, Any],
        messages: Sequence[Mapping[str, Any]],
    ) -> tuple[object, bytes] | ServerError:
        """Send one request once; return the answer as a value and its bytes, or its error.

        Raises:
            RetryableFault, RejectedFault, EngineError: there was no answer. They are raised outside
                the handler, so that no traceback contains the client's own exception, which may
                include the key.
        """
        body = request_body(fields, messages)
        try:
            answer = await connection.post("/chat/completions", body)
        except FAILED as error:
            fault = endpoint.faults.read(error)
        else:
            endpoint.reached = True
            if answer.is_error:
                return error_of(answer)
            value = read_body(answer.body)
            return error_inside(value, answer.headers) or (value, answer.body)
        if isinstance(fault, RetryableFault) and fault.unreachable and not endpoint.reached:
            raise endpoint.faults.unreachable(fault.detail)
        raise fault


def read_reply(
    endpoint: Endpoint, request: ChatRequest, value: object, body: bytes, sent: Mapping[str, Any]
) -> ChatReply:
    """Return the reply that an answer is.

    Args:
        endpoint: the server that gave it.
        request: the request.
        value: the answer, as `read_body` returns it.
        body: its bytes.
        sent: the fields that were sent beside the messages.

    Raises:
        RetryableFault: it is no chat completion, or says that the server gave up.
    """
    try:
        reply = read_completion(request.key, value, 0.0, sent)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        reply = None  # a shape that no reader foresaw must not end the run
    if reply is None:
        raise endpoint.faults.senseless("chat completion", body)
    if reply.reason is FailureReason.CALL_FAILED:  # reported with status 200
        raise RetryableFault(reply.reason, endpoint.faults.redact(reply.detail))
    return reply
