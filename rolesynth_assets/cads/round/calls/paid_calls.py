"""The calls of a round to models and to the renderer, which go through the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from rolesynth_assets.cads.collective.collective import Collective
from rolesynth_assets.cads.drawing.renderer import DrawFailure, Drawing, DrawingFailed, Renderer
from rolesynth_assets.cads.records import MemberUsage
from rolesynth_assets.cads.round.calls.before_paying import MemberCheck
from rolesynth_assets.cads.round.calls.journal import Journal, drawing_key
from rolesynth_assets.mllm.engine import (
    ChatEngine,
    ChatReply,
    ChatRequest,
    FailureReason,
    ModelIdentity,
)
from rolesynth_assets.mllm.micro_batcher import NOT_SENT, Asker
from rolesynth_assets.mllm.rows.reply_journal import request_key
from rolesynth_assets.store.digests import image_id

T = TypeVar("T")


class Calls:
    """Calls to a collective's members and to its renderer, with their usage.

    A call whose reply is in the journal is not made, and two equal calls at the same time are made
    once. This class does not know which engine serves a member.
    """

    def __init__(
        self,
        collective: Collective,
        engines: Mapping[str, ChatEngine],
        identities: Mapping[str, ModelIdentity],
        renderer: Renderer,
        journal: Journal,
        withdrawn: Mapping[str, str],
        check: MemberCheck | None = None,
    ) -> None:
        """See `open_calls`."""
        self.collective = collective
        self._engines, self._identities = engines, identities
        self._check = check
        self._checking: asyncio.Task[None] | None = None
        self._askers = {
            name: Asker(engine, collective.member(name).concurrency)
            for name, engine in engines.items()
        }
        self._renderer = renderer
        self._journal = journal
        self._withdrawn = withdrawn
        self._to_ask_again = 0
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._sharing: dict[str, list[Sequence[str]]] = {}
        self._usage = {member.name: MemberUsage() for member in collective.members}

    @property
    def usage(self) -> dict[str, MemberUsage]:
        """Usage by each member so far."""
        return dict(self._usage)

    @property
    def to_ask_again(self) -> int:
        """Calls that failed for a transient reason, so that the next run makes them again."""
        return self._to_ask_again

    def identity(self, member: str) -> ModelIdentity:
        """Return the identity of a member's model."""
        return self._identities[member]

    def withdrawn(self, images: Sequence[str]) -> str | None:
        """Return why nothing is asked about these images, if one of them was withdrawn by now."""
        said = (self._withdrawn[image] for image in images if image in self._withdrawn)
        return next((f"not asked: an image was {text}" for text in said), None)

    async def ask(self, member: str, request: ChatRequest, about: Sequence[str]) -> ChatReply:
        """Return a member's reply, from the journal if it is there.

        A request about a withdrawn image, shown or not, is not sent; it is rejected with the text
        of the tombstone. The journal keeps the images' ids with the reply; the request's identity
        does not depend on `about`.

        Args:
            member: the member.
            request: the request.
            about: ids of images that its text came from; the images that it shows are added.

        Raises:
            EngineError: the member's engine can serve no request.
        """
        shown = tuple(map(image_id, request.images))
        images = (*shown, *about)
        if refused := self._refusal(request.key, images):
            return refused
        key = request_key(self._identities[member].fingerprint(), request)
        recorded = self._journal.get(key)
        if recorded is None and key not in self._running:
            if await self._checked_now():  # which may have changed the member's identity
                return await self.ask(member, request, about)
            self._sharing[key] = [images]
            reply = await self._once(key, self._pay(member, key, request))
        else:
            if recorded is None:
                self._sharing[key].append(images)
                recorded = await self._shared(key)
            self._count(member, from_journal=1)
            reply = recorded
            kept = reply.reason is None or not reply.reason.transient
            if kept and not self.withdrawn(images):
                await self._journal.tie(key, set(about).difference(shown))
        if gone := self._refusal(request.key, images):  # while it waited or was in flight
            return replace(reply, key=gone.key, text=None, reason=gone.reason, detail=gone.detail)
        return replace(reply, key=request.key)

    async def draw(
        self, member: str, visual_prompt: str, seed: int, about: Sequence[str]
    ) -> Drawing | DrawingFailed:
        """Return the drawing that a member has requested, from the journal if it is there.

        Nothing is drawn for a withdrawn image.

        Args:
            member: the member.
            visual_prompt: the drawing instruction.
            seed: seed of the renderer.
            about: ids of images that the instruction came from.

        Raises:
            EngineError: the renderer can draw nothing at all.
        """
        if refused := self._no_drawing(about):
            return refused
        key = drawing_key(self._renderer.name, visual_prompt, seed)
        drawing = self._journal.get_drawing(key)
        if drawing is None and key not in self._running:
            work = self._pay_drawing(member, key, visual_prompt, seed, about)
            drawing = await self._once(key, work)
        else:
            if drawing is None:
                drawing = await self._shared(key)
            self._count(member, images_from_journal=1)
            if isinstance(drawing, Drawing) and not self.withdrawn(about):
                await self._journal.tie_drawing(key, about)
        return self._no_drawing(about) or drawing

    def _refusal(self, key: str, images: Sequence[str]) -> ChatReply | None:
        """Return the reply to a request about an image that was withdrawn by now."""
        detail = self.withdrawn(images)
        return ChatReply(key, None, FailureReason.REJECTED, detail) if detail else None

    def _no_drawing(self, about: Sequence[str]) -> DrawingFailed | None:
        """Return the answer to an instruction from an image that was withdrawn by now."""
        detail = self.withdrawn(about)
        return DrawingFailed(DrawFailure.REJECTED, detail) if detail else None

    async def aclose(self) -> None:
        """Cancel running calls; the owners of engines, renderer and journal close those."""
        running = [*self._running.values(), *([self._checking] if self._checking else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.gather(*(asker.aclose() for asker in self._askers.values()))

    async def _checked_now(self) -> bool:
        """Check the members before the first paid call; return whether that ended only now.

        Raises:
            EngineError: a member is of no use for its tasks.
        """
        if self._check is None:
            return False
        if self._checking is not None and self._checking.done():
            self._checking.result()
            return False
        if self._checking is None:
            self._checking = asyncio.get_running_loop().create_task(
                self._check_members(self._check)
            )
        await asyncio.shield(self._checking)
        return True

    async def _check_members(self, check: MemberCheck) -> None:
        for member, spent in (await check()).items():
            cost = self.collective.member(member).prices.cost(
                spent.calls, spent.prompt_tokens, spent.completion_tokens
            )
            self._count(
                member,
                calls=spent.calls,
                prompt_tokens=spent.prompt_tokens,
                completion_tokens=spent.completion_tokens,
                cost=cost,
            )
        self._identities = await _identities(self._engines)

    async def _once(self, key: str, work: Coroutine[Any, Any, T]) -> T:
        """Make a call that equal ones may share; a cancelled caller does not cancel it for others.

        Raises what the call raises.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._running[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(task)

    async def _shared(self, key: str) -> Any:
        return await asyncio.shield(self._running[key])

    def _forget(self, key: str, task: asyncio.Task[Any]) -> None:
        if self._running.get(key) is task:
            del self._running[key]
            self._sharing.pop(key, None)
        if not task.cancelled():
            task.exception()  # marks it as retrieved: the callers have it, or were cancelled

    def _wanted(self, key: str) -> list[Sequence[str]]:
        """Return the images of each caller of a call in flight, but those of withdrawn ones."""
        return [images for images in self._sharing.get(key, ()) if self.withdrawn(images) is None]

    async def _pay(self, member: str, key: str, request: ChatRequest) -> ChatReply:
        sent = True

        def is_wanted() -> bool:
            nonlocal sent
            sent = bool(self._wanted(key))
            return sent

        while True:
            reply = await self._askers[member].ask(replace(request, wanted=is_wanted))
            wanted = self._wanted(key)
            if sent or not wanted:
                break  # otherwise another caller came after it was refused
        if wanted:
            await self._journal.put(key, reply, [image for images in wanted for image in images])
            self._to_ask_again += reply.reason is not None and reply.reason.transient
        else:  # what was paid is not kept, and a caller that comes now makes a call of its own
            del self._running[key], self._sharing[key]
        if reply.detail == NOT_SENT:
            return reply
        tokens = (reply.prompt_tokens, reply.completion_tokens)
        self._count(
            member,
            calls=1,
            prompt_tokens=tokens[0],
            completion_tokens=tokens[1],
            cost=self.collective.member(member).prices.cost(1, *tokens),
        )
        return reply

    async def _pay_drawing(
        self, member: str, key: str, visual_prompt: str, seed: int, about: Sequence[str]
    ) -> Drawing | DrawingFailed:
        drawing = await self._renderer.draw(visual_prompt, seed)
        if isinstance(drawing, Drawing):
            if self.withdrawn(about) is None:
                await self._journal.put_drawing(key, drawing, about)
            self._count(member, images=1, cost=self.collective.renderer.prices.cost(1, 0, 0))
        elif self.withdrawn(about) is None:
            self._to_ask_again += drawing.reason.transient
        return drawing

    def _count(self, member: str, **more: int | float) -> None:
        known = self._usage[member]
        added = {field: getattr(known, field) + value for field, value in more.items()}
        self._usage[member] = replace(known, **added)


async def open_calls(
    collective: Collective,
    engines: Mapping[str, ChatEngine],
    renderer: Renderer,
    journal: Journal,
    withdrawn: Mapping[str, str],
    check: MemberCheck | None = None,
) -> Calls:
    """Open the calls to the members of a collective that have a task.

    Args:
        collective: the collective.
        engines: engine of each member that has a task, by member name.
        renderer: renderer of the images.
        journal: journal of paid calls.
        withdrawn: text of the tombstone by image id; looked up before each request.
        check: the preflight of the members, called once before the first paid call.

    Raises:
        ValueError: a member that has a task has no engine.
        EngineError: a server does not report which model it serves.
    """
    needed = collective.employed
    if missing := [name for name in needed if name not in engines]:
        raise ValueError(
            f"Collective {collective.name!r}: there is no engine for {', '.join(missing)}; make "
            "one from each member's settings with make_engine."
        )
    engines = {name: engines[name] for name in needed}
    identities = await _identities(engines)
    return Calls(collective, engines, identities, renderer, journal, withdrawn, check)


async def _identities(engines: Mapping[str, ChatEngine]) -> dict[str, ModelIdentity]:
    """Read identities; that may block, because some engines ask their server for it."""
    return {name: await asyncio.to_thread(_identity, of) for name, of in engines.items()}


def _identity(engine: ChatEngine) -> ModelIdentity:
    return engine.identity
