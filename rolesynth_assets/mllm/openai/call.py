"""One request to an OpenAI-compatible server, with retries, that always ends in a reply."""

import asyncio
import time
from typing import Any

import openai
from tenacity import AsyncRetrying, retry_if_exception_type

from rolesynth_assets.mllm.control_tokens import restored_reply
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason
from rolesynth_assets.mllm.openai.faults import (
    BackoffWait,
    FaultReader,
    RejectedFault,
    RetryableFault,
    names_parameter,
    stop_after,
)
from rolesynth_assets.mllm.openai.reply import read_completion
from rolesynth_assets.mllm.openai.silence import Silence
from rolesynth_assets.mllm.settings import EngineSettings


class ChatCaller:
    """Sends requests to one model on one server; holds no connection."""

    def __init__(
        self, settings: EngineSettings, model: str, faults: FaultReader, wait: BackoffWait
    ) -> None:
        self._settings = settings
        self._model = model
        self._faults = faults
        self._wait = wait
        self._silence = Silence(settings.max_silence_s, faults)
        self._limit_field = "max_tokens"
        self._json_mode = True  # until the server rejects the parameter
        self.reached = False
        """Whether the server has answered anything, even an error."""

    async def answer(
        self, client: openai.AsyncOpenAI, request: ChatRequest, messages: list[dict[str, Any]]
    ) -> ChatReply:
        """Send a request until it is answered or its retries are used up.

        Raises:
            EngineError: no request can succeed.
        """
        retrying = AsyncRetrying(
            stop=stop_after(self._settings.max_retries),
            wait=self._wait,
            retry=retry_if_exception_type(RetryableFault),
            reraise=True,
        )
        started = time.perf_counter()
        asked = time.monotonic()

        async def attempt() -> ChatReply:
            nonlocal started
            started = time.perf_counter()
            try:
                body = await self._send(client, request, messages)
            except RetryableFault as fault:
                self._silence.check(fault, asked)
                raise
            self._silence.heard()
            reply = read_completion(request.key, body, time.perf_counter() - started)
            if reply is None:
                raise self._faults.senseless("chat completion", body)
            if reply.reason is FailureReason.CALL_FAILED:  # reported with status 200
                raise RetryableFault(reply.reason, self._faults.redact(reply.detail))
            return reply

        try:
            return restored_reply(await retrying(attempt), request)
        except RetryableFault as fault:
            reason, detail = fault.reason, fault.detail
        except RejectedFault as fault:
            reason, detail = fault.reason, str(fault)
        latency_s = time.perf_counter() - started
        return ChatReply(request.key, None, reason, detail, latency_s=latency_s)

    async def _send(
        self, client: openai.AsyncOpenAI, request: ChatRequest, messages: list[dict[str, Any]]
    ) -> bytes:
        """Send one request once and return the body of the answer.

        Raises:
            RetryableFault, RejectedFault, EngineError: the attempt failed. They are raised outside
                the handler, so that no traceback contains the client's own exception, which may
                include the key.
        """
        limit_field, json_mode = self._limit_field, request.json_mode and self._json_mode
        body: dict[str, Any] = {
            "model": self._model,
            "messages": messages,
            "temperature": request.sampling.temperature,
            "top_p": request.sampling.top_p,
            "seed": request.seed,
            limit_field: request.sampling.max_tokens,
        }
        if json_mode:
            body["response_format"] = {"type": "json_object"}
        try:
            # The client's own limit is per read; a server that sends bytes slowly never exceeds it.
            async with asyncio.timeout(self._settings.timeout_s):
                raw = await client.chat.completions.with_raw_response.create(
                    **body, extra_body=self._settings.extra_body or None
                )
            self.reached = True
            return raw.content
        except (TimeoutError, openai.OpenAIError) as error:
            self.reached |= isinstance(error, openai.APIStatusError)
            fault = self._faults.read(error)
            rename = limit_field == "max_tokens" and _wants_max_completion_tokens(error)
            free_form = json_mode and names_parameter(error, "response_format")
        if rename:
            self._limit_field = "max_completion_tokens"
        if free_form:
            self._json_mode = False
        if rename or free_form:
            return await self._send(client, request, messages)
        if isinstance(fault, RetryableFault) and fault.unreachable and not self.reached:
            raise self._faults.unreachable(fault.detail)
        raise fault


def _wants_max_completion_tokens(error: Exception) -> bool:
    """Return whether a hosted model accepts the token limit only under its newer name."""
    return (
        isinstance(error, openai.BadRequestError)
        and error.code == "unsupported_parameter"
        and error.param == "max_tokens"
    )
