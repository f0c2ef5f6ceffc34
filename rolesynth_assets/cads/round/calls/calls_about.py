"""The calls of a round that are about a seed, which end when an image of it is withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.drawing.renderer import Drawing, DrawingFailed
from rolesynth_assets.cads.round.calls.paid_calls import Calls
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, ModelIdentity


@dataclass(frozen=True)
class CallsAbout:
    """The calls about one seed: all end when one of the images is withdrawn, shown or not.

    Attributes:
        calls: the round's calls.
        images: ids of the seed's images, and of the drawing where a call is about one.
    """

    calls: Calls
    images: tuple[str, ...]

    @property
    def collective(self) -> Collective:
        """The collective."""
        return self.calls.collective

    def also(self, *images: str | None) -> CallsAbout:
        """Return the calls that are about further images as well; None is no image."""
        return replace(self, images=(*self.images, *(i for i in images if i is not None)))

    def gone(self) -> str | None:
        """Return why nothing is asked any more, if one of the images was withdrawn by now."""
        return self.calls.withdrawn(self.images)

    def identity(self, member: str) -> ModelIdentity:
        """Return the identity of a member's model."""
        return self.calls.identity(member)

    async def ask(self, member: str, request: ChatRequest) -> ChatReply:
        """Return a member's reply; see `Calls.ask`."""
        return await self.calls.ask(member, request, self.images)

    async def draw(self, member: str, visual_prompt: str, seed: int) -> Drawing | DrawingFailed:
        """Return the drawing that a member has requested; see `Calls.draw`."""
        return await self.calls.draw(member, visual_prompt, seed, self.images)
