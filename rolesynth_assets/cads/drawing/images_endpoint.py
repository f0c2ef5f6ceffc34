"""A renderer that asks an OpenAI-compatible images API."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import Any

from pydantic import BaseModel, Field, SecretStr, ValidationError

from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.cads.drawing.renderer import DrawFailure, Drawing, DrawingFailed
from rolesynth_assets.images.decoding.decode import normalise
from rolesynth_assets.images.decoding.rejects import Reject
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets.mllm.control_tokens import neutralise
from rolesynth_assets.mllm.engine import EngineError, FailureReason
from rolesynth_assets.mllm.openai.faults import (
    FaultReader,
    OversizedFault,
    RejectedFault,
    RetryableFault,
    names_parameter,
)
from rolesynth_assets.mllm.openai.retries import Backoff, retried
from rolesynth_assets.mllm.openai.server_error import error_of
from rolesynth_assets.mllm.openai.silence import Silence
from rolesynth_assets.mllm.openai.transport.connection import FAILED, Connection
from rolesynth_assets.mllm.settings import SettingNames

LIMITS = DecodeLimits(max_bytes=32 * 2**20)
"""Limits on decoding an image; drawn images have a few MB."""
_FAILURES_TO_STOP = 16
"""After so many failures in a row, the server counts as failing for all; as in `mllm.openai`."""
_NAMES = SettingNames(
    model="`renderer.model` of the collective",
    base_url="`renderer.base_url` of the collective",
    concurrency="`renderer.concurrency`",
    timeout_s="`renderer.timeout_s`",
    max_silence_s="`renderer.max_silence_s` of the collective",
    max_reply_bytes="`renderer.max_reply_bytes` of the collective",
)


class _Picture(BaseModel):
    b64_json: str | None = None
    url: str | None = None


class _Pictures(BaseModel):
    """The fields of an answer that are read; servers add others."""

    data: list[_Picture] = Field(min_length=1)


class ImagesEndpoint:
    """A client of one text-to-image model, for one event loop.

    The images API has no seed, so the same instruction gives another image each time.
    """

    def __init__(
        self, settings: RendererSettings, api_key: SecretStr | None, backoff: Backoff | None = None
    ) -> None:
        if not settings.model or not settings.base_url:
            raise EngineError("An images endpoint needs the renderer's model and base_url.")
        secret = api_key.get_secret_value() if api_key else None
        names = _NAMES.model_copy(
            update={"api_key": settings.api_key_env or "`renderer.api_key_env` of the collective"}
        )
        self._settings = settings
        self._model: str = settings.model
        self._faults = FaultReader(settings.base_url, settings.model, secret, names)
        self._backoff = backoff or Backoff()
        self._silence = Silence(settings.max_silence_s, self._faults)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._connection: Connection | None = None
        self._asks_for_base64 = True  # until the server rejects the parameter
        self._reached = self._proven = False
        self._failures_in_a_row = 0

    def __repr__(self) -> str:
        return f"ImagesEndpoint(model={self._model!r}, base_url={self._faults.base_url!r})"

    @property
    def name(self) -> str:
        """The kind of renderer and the model."""
        return f"images_endpoint/{self._model}"

    async def draw(self, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        """Draw one image, with retries of transient faults.

        Raises:
            EngineError: wrong key, unknown model, no server, or a server that fails every time.
        """
        async with self._slots:
            drawn = await self._try_to_draw(visual_prompt)
        self._note(drawn)
        return drawn

    async def aclose(self) -> None:
        """Close the connections."""
        if self._connection is not None:
            await self._connection.close()

    async def _try_to_draw(self, visual_prompt: str) -> Drawing | DrawingFailed:
        async def attempt() -> bytes | DrawingFailed:
            try:
                body = await self._send(visual_prompt)
            except RetryableFault as fault:
                self._silence.check(fault)
                raise
            self._silence.heard()
            return self._read(body)

        try:
            with self._silence.waiting():
                encoded = await retried(attempt, self._settings.max_retries, self._backoff)
        except RetryableFault as fault:
            return DrawingFailed(DrawFailure(fault.reason.value), fault.detail)
        except OversizedFault as fault:
            return DrawingFailed(DrawFailure.BAD_IMAGE, str(fault))
        except RejectedFault as fault:
            return DrawingFailed(DrawFailure(fault.reason.value), str(fault))
        if isinstance(encoded, DrawingFailed):
            return encoded
        image = await asyncio.to_thread(normalise, encoded, LIMITS)
        if isinstance(image, Reject):
            return DrawingFailed(DrawFailure.BAD_IMAGE, f"{image.reason}: {image.detail}")
        return Drawing(image.data, image.media_type, self.name)

    async def _send(self, visual_prompt: str) -> bytes:
        """Send the instruction once and return the body of the answer.

        Raises:
            RetryableFault, RejectedFault, EngineError: the attempt failed. They are raised outside
                the handler, so that no traceback contains the client's own exception, which may
                include the key.
        """
        asks_for_base64 = self._asks_for_base64
        options: dict[str, Any] = {"model": self._model, "n": 1}
        options["prompt"] = neutralise(visual_prompt)  # a model's text, which the server tokenizes
        if self._settings.size:
            options["size"] = self._settings.size
        if asks_for_base64:
            options["response_format"] = "b64_json"
        unasked = False
        try:
            answer = await self._open().post("/images/generations", json.dumps(options).encode())
        except FAILED as error:
            fault = self._faults.read(error)
        else:
            self._reached = True
            if not answer.is_error:
                return answer.body
            said = error_of(answer)
            fault = self._faults.of_server(said)
            unasked = asks_for_base64 and names_parameter(said, "response_format")
        if unasked:
            self._asks_for_base64 = False
            return await self._send(visual_prompt)
        if isinstance(fault, RetryableFault) and fault.unreachable and not self._reached:
            raise self._faults.unreachable(fault.detail)
        raise fault

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(
                self._faults.base_url,
                self._faults.secret,
                self._settings.timeout_s,
                self._settings.max_reply_bytes,
            )
        return self._connection

    def _read(self, body: bytes) -> bytes | DrawingFailed:
        """Take the encoded image out of an answer.

        Raises:
            RetryableFault: this is not an answer of an images API.
        """
        try:
            picture = _Pictures.model_validate_json(body).data[0]
            if picture.b64_json:
                return base64.b64decode(picture.b64_json, validate=True)
        except (ValidationError, binascii.Error):
            raise self._faults.senseless("image", body[:1000]) from None
        if picture.url:
            return DrawingFailed(
                DrawFailure.LINK, "the server sends links; choose a model that sends base64"
            )
        raise RetryableFault(FailureReason.BAD_RESPONSE, "neither b64_json nor url")

    def _note(self, drawn: Drawing | DrawingFailed) -> None:
        """Count failures in a row, and stop if the server fails for every request.

        Raises:
            EngineError: `_FAILURES_TO_STOP` drawings in a row failed.
        """
        if isinstance(drawn, Drawing):
            self._proven, self._failures_in_a_row = True, 0
            return
        if drawn.reason is DrawFailure.REJECTED and self._proven:
            return  # some instructions violate a content policy
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= _FAILURES_TO_STOP:
            raise EngineError(
                f"{self._failures_in_a_row} drawings in a row failed at {self._faults.base_url} "
                f"(the last: {drawn.reason}, {drawn.detail}). Look at the server and its limits, "
                "then run again: finished drawings are kept."
            )
