"""From a drawing instruction to an image, whoever draws it (CADS, image synthesis)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rolesynth_assets.cads.collective.member import key_from
from rolesynth_assets.cads.collective.renderer_settings import RendererSettings


class DrawFailure(StrEnum):
    """Why an instruction has no image."""

    BAD_SPECIFICATION = "bad_specification"
    """The instruction is no specification that the program can draw."""
    CALL_FAILED = "call_failed"
    """Transport or server error after all retries."""
    TIMEOUT = "timeout"
    """No complete answer within the time limit, after all retries."""
    BAD_RESPONSE = "bad_response"
    """The server answered something that holds no image."""
    REJECTED = "rejected"
    """The server rejected this instruction: content policy, too long."""
    LINK = "link"
    """The server answered with a link in place of the image; links are not followed."""
    BAD_IMAGE = "bad_image"
    """The image is broken, too large or no image at all."""

    @property
    def transient(self) -> bool:
        """True for the reasons that the next run tries again."""
        return self in (DrawFailure.CALL_FAILED, DrawFailure.TIMEOUT, DrawFailure.BAD_RESPONSE)


@dataclass(frozen=True)
class Drawing:
    """A drawn image.

    Attributes:
        image: encoded, plain 8-bit RGB.
        media_type: image/png, image/jpeg or image/webp.
        renderer: name of what drew it.
    """

    image: bytes
    media_type: str
    renderer: str


@dataclass(frozen=True)
class DrawingFailed:
    """There is no image, and why."""

    reason: DrawFailure
    detail: str


class Renderer(Protocol):
    """Draws images from instructions."""

    @property
    def name(self) -> str:
        """What drew the image, for its provenance."""
        ...

    async def draw(self, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        """Draw one image.

        Raises:
            EngineError: nothing can be drawn at all (wrong key, unknown model, no server).
        """
        ...

    async def aclose(self) -> None:
        """Close connections; safe to call twice."""
        ...


class SpecificationRenderer:
    """Draws a structured scene or chart specification by program; the same text, the same image."""

    name = "specification.1"
    """Raise the number whenever the same text is drawn in another way."""

    def __init__(self) -> None:
        self._drawing = asyncio.Lock()  # it is all computing, and plotting libraries share state

    async def draw(self, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        """Draw the specification that the instruction is; `seed` changes nothing."""
        async with self._drawing:
            return await asyncio.to_thread(self._draw, visual_prompt)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _draw(self, visual_prompt: str) -> Drawing | DrawingFailed:
        from rolesynth_assets.embedded.world.specification import (
            SpecificationError,
            draw_specification,
        )

        try:
            return Drawing(draw_specification(visual_prompt), "image/png", self.name)
        except SpecificationError as error:
            return DrawingFailed(DrawFailure.BAD_SPECIFICATION, str(error))


def make_renderer(settings: RendererSettings, environ: Mapping[str, str]) -> Renderer:
    """Return the renderer that the settings name; its key comes from `environ`.

    Raises:
        EngineError: the variable that shall hold the key is not set.
    """
    if settings.kind == "specification":
        return SpecificationRenderer()
    from rolesynth_assets.cads.drawing.images_endpoint import ImagesEndpoint

    return ImagesEndpoint(settings, key_from(environ, settings.api_key_env, "The renderer"))
