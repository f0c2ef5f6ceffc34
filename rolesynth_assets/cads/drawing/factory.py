"""The factory of renderers, and the renderer of specifications."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from rolesynth_assets.cads.collective.member import key_from
from rolesynth_assets.cads.collective.renderer_settings import RendererSettings
from rolesynth_assets.cads.drawing.renderer import DrawFailure, Drawing, DrawingFailed, Renderer


class SpecificationRenderer:
    """Draws a structured scene or chart specification by program; equal texts give equal images."""

    name = "specification.1"
    """Raise the number whenever the same text is drawn differently."""

    def __init__(self) -> None:
        self._drawing = asyncio.Lock()  # drawing is CPU-bound, and plotting libraries share state

    async def draw(self, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        """Draw the specification in `visual_prompt`; `seed` has no effect."""
        async with self._drawing:
            return await asyncio.to_thread(self._draw, visual_prompt)

    async def aclose(self) -> None:
        """Do nothing: there is no connection to close."""

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
        EngineError: the variable that should hold the key is not set.
    """
    if settings.kind == "specification":
        return SpecificationRenderer()
    from rolesynth_assets.cads.drawing.images_endpoint import ImagesEndpoint

    return ImagesEndpoint(settings, key_from(environ, settings.api_key_env, "The renderer"))
