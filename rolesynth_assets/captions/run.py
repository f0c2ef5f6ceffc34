"""One captioning run: requests out, replies in, micro-batches into the store."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rolesynth_assets.captions.parse import parse_caption
from rolesynth_assets.captions.wanted import WantedCaption
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest

if TYPE_CHECKING:
    from rolesynth_assets.store.tables import Store

IMAGES_AT_ONCE = 32
"""Images whose bytes are held in memory at a time."""

Progress = Callable[[int, int], None]
"""Told (rows done, rows wanted)."""


class CaptioningError(RuntimeError):
    """A partition cannot be captioned; the message names it and the way out."""


class CaptioningRun:
    """Makes missing captions of one partition and counts what that took.

    Attributes:
        issued: requests handed to the engine.
        look_ahead: the most requests that were in flight at a time.
        stored: replies stored.
        reasons: replies without a caption, by reason.
        prompt_tokens: tokens read.
        completion_tokens: tokens written.
        neutralised: control tokens in texts of requests that a server read as visible text.
    """

    def __init__(
        self,
        store: "Store",
        engine: ChatEngine,
        partition: dict[str, str],
        run_id: str,
        micro_batch: int,
    ) -> None:
        if micro_batch < 1:
            raise ValueError(f"micro_batch is {micro_batch}; it must be at least 1")
        self.store = store
        self.engine = engine
        self.partition = partition
        self.run_id = run_id
        self.micro_batch = micro_batch
        self.pending: list[dict[str, object]] = []
        self.issued = 0
        self.look_ahead = 0
        self.stored = 0
        self.reasons: dict[str, int] = {}
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.neutralised = 0

    async def make(
        self, missing: Sequence[WantedCaption], total: int, progress: Progress | None
    ) -> None:
        """Ask for every missing caption and store what comes back."""
        open_captions = {caption.caption_id: caption for caption in missing}
        if progress:
            progress(total - len(open_captions), total)
        if not missing:
            return
        replies = self.engine.complete(self._requests(missing))
        try:
            async for reply in replies:
                self._accept(reply, open_captions)
                if progress:
                    progress(total - len(open_captions), total)
        finally:
            self._store_pending()  # what has been paid for is kept, whatever happened
            if isinstance(replies, AsyncGenerator):
                await replies.aclose()  # calls in flight end now, not when it is collected
        if open_captions:
            raise CaptioningError(
                f"captions {self.partition}: engine {self.engine.identity.engine!r} left "
                f"{len(open_captions)} of {len(missing)} requests without a reply, such as "
                f"{next(iter(open_captions))}. The others are stored; run this again"
            )

    def _requests(self, missing: Sequence[WantedCaption]) -> Iterator[ChatRequest]:
        """Yield requests image by image, loading some images at a time."""
        by_image = [list(group) for _, group in groupby(missing, key=lambda one: one.image_id)]
        for start in range(0, len(by_image), IMAGES_AT_ONCE):
            chunk = by_image[start : start + IMAGES_AT_ONCE]
            ids = [group[0].image_id for group in chunk]
            data = self.store.image_bytes(ids, self.partition["shard"])
            for group in chunk:
                for caption in group:
                    self.issued += 1
                    in_flight = self.issued - self.stored - len(self.pending)
                    self.look_ahead = max(self.look_ahead, in_flight)
                    yield chat_request(caption, data[caption.image_id])

    def _accept(self, reply: ChatReply, open_captions: dict[str, WantedCaption]) -> None:
        caption = open_captions.pop(reply.key, None)
        if caption is None:
            raise CaptioningError(
                f"captions {self.partition}: engine {self.engine.identity.engine!r} replied to "
                f"{reply.key!r}, which was not asked for or was answered before"
            )
        row = self._row(caption, reply)
        self.pending.append(row)
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.neutralised += reply.neutralised
        if row["reason"] is not None:
            reason = str(row["reason"])
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        # requests in flight are repeated after a kill as well, so they count against the batch
        due = max(self.micro_batch - self.look_ahead, self.micro_batch // 2, 1)
        if len(self.pending) >= due:
            self._store_pending()

    def _row(self, caption: WantedCaption, reply: ChatReply) -> dict[str, object]:
        parsed = parse_caption(reply, caption.rule, caption.role.name)
        identity, sampling = self.engine.identity, caption.rule.sampling
        return {
            "caption_id": caption.caption_id,
            **self.partition,
            "image_id": caption.image_id,
            "role": caption.role.name,
            "role_fingerprint": caption.role.fingerprint,
            "length": str(caption.rule.kind),
            "text": parsed.text,
            "reason": str(parsed.reason) if parsed.reason else None,
            "detail": parsed.detail,
            "model": identity.model,
            "revision": identity.revision,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": caption.seed,
            "words": parsed.words,
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "finish_reason": reply.finish_reason,
            "latency_s": reply.latency_s,
            "run_id": self.run_id,
        }

    def _store_pending(self) -> None:
        if not self.pending:
            return
        import pyarrow as pa

        from rolesynth_assets.store.schemas import CAPTIONS

        rows = pa.Table.from_pylist(self.pending, schema=CAPTIONS.schema)
        self.store.append("captions", self.partition, rows)
        self.stored += len(self.pending)
        self.pending = []


def chat_request(caption: WantedCaption, image: bytes) -> ChatRequest:
    """Lay one request out: shared system text, the image, the role's text last."""
    return ChatRequest(
        key=caption.caption_id,
        system=caption.role.system,
        prompt=caption.role.prompt(caption.rule.kind),
        sampling=caption.rule.sampling,
        seed=caption.seed,
        images=(image,),
    )
