"""The protocol of renderers, which draw an image from an instruction (CADS, image synthesis)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class DrawFailure(StrEnum):
    """Why an instruction has no image."""

    BAD_SPECIFICATION = "bad_specification"
    """The instruction is not a specification that the program can draw."""
    CALL_FAILED = "call_failed"
    """Transport or server error after all retries."""
    TIMEOUT = "timeout"
    """No complete answer within the time limit, after all retries."""
    BAD_RESPONSE = "bad_response"
    """The server's answer contains no image."""
    REJECTED = "rejected"
    """The server rejected this instruction, for example for its content or length."""
    LINK = "link"
    """The server answered with a link instead of the image; links are not followed."""
    BAD_IMAGE = "bad_image"
    """The image is broken, too large, or not an image at all."""

    @property
    def transient(self) -> bool:
        """True for the reasons that the next run tries again."""
        return self in (DrawFailure.CALL_FAILED, DrawFailure.TIMEOUT, DrawFailure.BAD_RESPONSE)


@dataclass(frozen=True)
class Drawing:
    """A drawn image.

    Attributes:
        image: the encoded image, plain 8-bit RGB.
        media_type: image/png, image/jpeg or image/webp.
        renderer: name of the renderer that drew it.
    """

    image: bytes
    media_type: str
    renderer: str


@dataclass(frozen=True)
class DrawingFailed:
    """The reason why there is no image."""

    reason: DrawFailure
    detail: str


class Renderer(Protocol):
    """Draws images from instructions."""

    @property
    def name(self) -> str:
        """Name of the renderer, for the image's provenance."""
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
