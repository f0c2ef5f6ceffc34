"""The embedded engine: the nano MLLM in process, a stand-in that needs no network, key or GPU.

Requests with an image go to the nano MLLM, which reads pixels and text and nothing else. Requests
without an image, and the steps of CADS that only write text, go to the scripted text member.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from rolesynth_assets.mllm.engine import (
    LOADING,
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    ModelIdentity,
)
from rolesynth_assets.mllm.stand_in import NANO

if TYPE_CHECKING:
    import torch

WEIGHTS = Path(__file__).parent / "weights" / "nano"
BATCH = 128
"""Requests in one batch."""
WORKERS = 2
"""Batches that are computed at the same time, each on one core.

All engines of a process share these workers, so that the members of a collective do not compete for
the cores.
"""
REMEMBERED_IMAGES = 64
"""Encoded images that are kept from one batch to the next."""

_workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="nano")


def shipped_weights(model: str | None) -> Path:
    """Return the folder of the shipped weights called `model`, by default ``nano``.

    Raises:
        EngineError: no shipped weights have that name; the message lists the known names.
    """
    known = sorted(file.parent.name for file in WEIGHTS.parent.glob("*/model.safetensors"))
    name = model or WEIGHTS.name
    if name not in known:
        raise EngineError(
            f"The embedded engine has no model {name!r}; {WEIGHTS.parent} holds "
            f"{', '.join(known) or 'none'}. Choose one of them, or another engine."
        )
    return WEIGHTS.parent / name


class EmbeddedEngine:
    """Answers requests with the nano MLLM stored in `weights` and with the scripted text member.

    Args:
        weights: folder of the nano MLLM.
        script: version of the script, if the model's identity includes it.
    """

    def __init__(self, weights: Path = WEIGHTS, script: str | None = None) -> None:
        if not (weights / "model.safetensors").is_file():
            raise EngineError(
                f"The embedded engine's weights are missing in {weights}. Make them with "
                "`python -m rolesynth_assets.nano_training.train --out DIR`, or choose another "
                "engine with ROLESYNTH_ENGINE."
            )
        self._weights = weights
        digest = sha256((weights / "model.safetensors").read_bytes()).hexdigest()
        name = NANO if weights.name == WEIGHTS.name else weights.name
        revision = f"{digest[:12]}+{script}" if script else digest[:12]
        self._identity = ModelIdentity("embedded", name, revision, stand_in=True)
        self._nano: _Nano | None = None

    @property
    def identity(self) -> ModelIdentity:
        """The nano MLLM; its revision names the digest of its weights and the script's version."""
        return self._identity

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncGenerator[ChatReply, None]:
        """Yield replies batch by batch, in the order of the requests."""
        pending = iter(requests)
        running: deque[asyncio.Future[list[ChatReply]]] = deque()
        loop = asyncio.get_running_loop()
        with _one_thread_each.while_working():
            while batch := list(islice(pending, BATCH)):
                running.append(loop.run_in_executor(_workers, self._answer, batch))
                if len(running) == WORKERS:
                    for reply in await running.popleft():
                        yield reply
            while running:
                for reply in await running.popleft():
                    yield reply

    async def aclose(self) -> None:
        """Release the loaded model."""
        self._nano = None

    def _answer(self, batch: Sequence[ChatRequest]) -> list[ChatReply]:
        from rolesynth_assets.embedded.script.member import takes

        looking = [request for request in batch if not takes(request)]
        if looking:
            with LOADING:
                self._nano = self._nano or _Nano(self._weights)
            seen = dict(zip(map(id, looking), self._nano.answer(looking), strict=True))
        else:
            seen = {}
        return [seen.get(id(request)) or _scripted(request) for request in batch]


class _OneThreadEach:
    """Limits torch to one thread per worker, and restores its setting when all are done."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._working = 0
        self._threads = 1

    @contextmanager
    def while_working(self) -> Iterator[None]:
        import torch

        with self._lock:
            if not self._working:
                self._threads = torch.get_num_threads()
                torch.set_num_threads(1)
            self._working += 1
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1
                if not self._working:
                    torch.set_num_threads(self._threads)


_one_thread_each = _OneThreadEach()


def _scripted(request: ChatRequest) -> ChatReply:
    from rolesynth_assets.embedded.script.member import answer

    text = answer(request)
    if text is None:
        return ChatReply(
            request.key,
            None,
            FailureReason.REFUSED,
            "The scripted text member, a stand-in, has no line for this request; use a real model.",
        )
    return ChatReply(request.key, text, None, finish_reason="stop")


class _Nano:
    """The loaded model with its tokenizer and the image tokens of the last images."""

    def __init__(self, weights: Path) -> None:
        import torch
        from transformers import Qwen2_5_VLForConditionalGeneration
        from transformers.utils import logging

        from rolesynth_assets.embedded.nano.tokenizer import load_tokenizer

        logging.disable_progress_bar()
        self.model: Any = Qwen2_5_VLForConditionalGeneration.from_pretrained(
            weights, dtype=torch.float32
        ).eval()
        own = weights / "tokenizer.json"  # the shipped models share one
        self.tokenizer = load_tokenizer(own if own.is_file() else WEIGHTS / own.name)
        self.seen: OrderedDict[str, torch.Tensor] = OrderedDict()
        self.looking = Lock()

    def answer(self, requests: Sequence[ChatRequest]) -> list[ChatReply]:
        """Answer requests with one image each; further images are ignored."""
        import torch

        from rolesynth_assets.embedded.nano.decoding import Prompt, complete_batch
        from rolesynth_assets.embedded.nano.tokenizer import Chat, encode_chats

        torch.set_num_threads(1)  # a setting of this worker's thread, like the next one
        torch.set_flush_denormal(True)  # denormals are slow and never change a logit
        started = time.perf_counter()
        with self.looking:
            keys, tokens = self._image_tokens([r.images[0] for r in requests])
        rows = {key: row for row, key in enumerate(tokens)}
        chats = (Chat(r.system, r.prompt, r.history) for r in requests)
        prompts = [
            Prompt(ids, rows[key], r.sampling, r.seed)
            for r, key, ids in zip(requests, keys, encode_chats(self.tokenizer, chats), strict=True)
        ]
        answers = complete_batch(self.model, prompts, torch.stack(list(tokens.values())))
        seconds = (time.perf_counter() - started) / len(requests)
        return [
            _reply(r, self.tokenizer.decode(a.ids), a.ended, len(p.ids), len(a.ids), seconds)
            for r, p, a in zip(requests, prompts, answers, strict=True)
        ]

    def _image_tokens(self, images: Sequence[bytes]) -> tuple[list[str], dict[str, torch.Tensor]]:
        """Encode each distinct image once; return the requests' keys and the tokens by key."""
        import torch

        from rolesynth_assets.embedded.nano.architecture import encode_images, read_pixels

        keys = [sha256(data).hexdigest() for data in images]
        fresh = {k: data for k, data in zip(keys, images, strict=True) if k not in self.seen}
        if fresh:
            with torch.inference_mode():
                pixels = read_pixels(list(fresh.values()))
                encoded = encode_images(self.model.model.visual, pixels)
            self.seen.update(zip(fresh, encoded, strict=True))
        tokens = {key: self.seen[key] for key in dict.fromkeys(keys)}
        while len(self.seen) > REMEMBERED_IMAGES:
            self.seen.popitem(last=False)
        return keys, tokens


def _reply(
    request: ChatRequest, text: str, ended: bool, read: int, written: int, seconds: float
) -> ChatReply:
    reason = None if text.strip() else FailureReason.EMPTY
    if not ended:
        reason = FailureReason.TRUNCATED
    return ChatReply(
        request.key,
        None if reason else text.strip(),
        reason,
        detail=text.strip() if reason else "",
        finish_reason="stop" if ended else "length",
        prompt_tokens=read,
        completion_tokens=written,
        latency_s=seconds,
    )
