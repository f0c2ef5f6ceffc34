"""One request to an OpenAI-compatible server, with retries, that always ends in a reply."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rolesynth_assets.mllm.control_tokens import restored_reply
from rolesynth_assets.mllm.engine import Changed, ChatReply, ChatRequest, FailureReason
from rolesynth_assets.mllm.openai.completion_body import read_body
from rolesynth_assets.mllm.openai.dialect import Dialect
from rolesynth_assets.mllm.openai.faults import (
    FaultReader,
    RejectedFault,
    RetryableFault,
    UnwantedFault,
)
from rolesynth_assets.mllm.openai.reply import read_completion
from rolesynth_assets.mllm.openai.request_body import request_body
from rolesynth_assets.mllm.openai.retries import Backoff, retried
from rolesynth_assets.mllm.openai.server_error import ServerError, error_inside, error_of
from rolesynth_assets.mllm.openai.silence import Silence
from rolesynth_assets.mllm.openai.transport.connection import FAILED, Connection
from rolesynth_assets.mllm.openai.window import Window, pace_of
from rolesynth_assets.mllm.settings import EngineSettings

_MOST_LESSONS = 16
"""Refusals from which one request learns; there are fewer fields to refuse."""


class ChatCaller:
    """Sends requests to one model on one server; holds no connection."""

    def __init__(
        self, settings: EngineSettings, model: str, faults: FaultReader, backoff: Backoff
    ) -> None:
        self._settings = settings
        self._model = model
        self._faults = faults
        self._backoff = backoff
        self._silence = Silence(settings.max_silence_s, faults)
        self._window = Window(
            settings.concurrency,
            faults.base_url,
            settings.names.concurrency,
            pace_of(faults.base_url, model),
        )
        self.dialect = Dialect(settings)
        self._changed: Changed | None = None
        self._watched = self.dialect.learned
        self._answered = False
        self.reached = False
        """Whether the server has answered anything, even an error."""

    def watch(self, changed: Changed | None) -> None:
        """Raise `changed` if the server refuses what would change the answers from now on."""
        self._changed, self._watched, self._answered = changed, self.dialect.learned, False

    def heard(self) -> None:
        """Note that a request was answered since `watch`."""
        self._answered = True

    async def answer(
        self, connection: Connection, request: ChatRequest, messages: list[dict[str, Any]]
    ) -> ChatReply:
        """Send a request until it is answered or its retries are used up.

        Raises:
            EngineError: no request can succeed.
        """
        seconds = 0.0

        async def attempt() -> ChatReply:
            nonlocal seconds
            async with self._window.slot() as began:
                if not request.wanted():
                    raise UnwantedFault("no longer wanted; it was not sent")
                try:
                    reply = await self._heard_once(connection, request, messages)
                except RetryableFault as fault:
                    if fault.busy:
                        self._window.narrow(began, fault.detail, fault.retry_after_s or 0.0)
                    raise
                finally:
                    seconds = time.monotonic() - began
                self._window.grow()
                self.heard()
                return reply

        try:
            retries = self._settings.max_retries
            reply = await retried(attempt, retries, self._backoff, self._pause)
        except RetryableFault as fault:
            reply = ChatReply(request.key, None, fault.reason, fault.detail)
        except RejectedFault as fault:
            reply = ChatReply(request.key, None, fault.reason, str(fault))
        sent = reply.sent or self.dialect.sent(
            self.dialect.fields(self._model, request), self.dialect.messages(messages)
        )
        return restored_reply(replace(reply, latency_s=seconds, sent=sent), request)

    async def _pause(self, seconds: float) -> None:
        """Wait between two attempts, in which the server is as silent as before."""
        with self._silence.waiting():
            await asyncio.sleep(seconds)

    async def _heard_once(
        self, connection: Connection, request: ChatRequest, messages: list[dict[str, Any]]
    ) -> ChatReply:
        """Send a request as `_once` does, and measure how long the server has been silent."""
        with self._silence.waiting():
            try:
                reply = await self._once(connection, request, messages)
            except RetryableFault as fault:
                self._silence.check(fault)
                raise
            self._silence.heard()
            return reply

    async def _once(
        self, connection: Connection, request: ChatRequest, messages: list[dict[str, Any]]
    ) -> ChatReply:
        """Send a request and read its reply; what the server refuses is left out, once for all.

        Raises:
            RetryableFault, RejectedFault, EngineError: the attempt failed.
        """
        for lessons in range(_MOST_LESSONS):
            fields = self.dialect.fields(self._model, request)
            turns = self.dialect.messages(messages)
            answer = await self._send(connection, fields, turns)
            if not isinstance(answer, ServerError):
                return self.read(request, *answer, self.dialect.sent(fields, turns))
            last = lessons + 1 == _MOST_LESSONS
            if last or not self.learn(answer, fields, turns):
                raise self._faults.of_server(answer)
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

    def read(
        self, request: ChatRequest, value: object, body: bytes, sent: Mapping[str, Any]
    ) -> ChatReply:
        """Return the reply that an answer is.

        Raises:
            RetryableFault: it is no chat completion, or says that the server gave up.
        """
        try:
            reply = read_completion(request.key, value, 0.0, sent)
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            reply = None  # a shape that no reader foresaw must not end the run
        if reply is None:
            raise self._faults.senseless("chat completion", body)
        if reply.reason is FailureReason.CALL_FAILED:  # reported with status 200
            raise RetryableFault(reply.reason, self._faults.redact(reply.detail))
        return reply

    async def _send(
        self,
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
            fault = self._faults.read(error)
        else:
            self.reached = True
            if answer.is_error:
                return error_of(answer)
            value = read_body(answer.body)
            return error_inside(value, answer.headers) or (value, answer.body)
        if isinstance(fault, RetryableFault) and fault.unreachable and not self.reached:
            raise self._faults.unreachable(fault.detail)
        raise fault
