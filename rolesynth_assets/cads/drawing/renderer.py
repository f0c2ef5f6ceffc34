"""From a drawing instruction to an image, whoever draws it (CADS, image synthesis)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


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
