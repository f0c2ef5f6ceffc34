"""vLLM in process (`vllm.LLM`) as a `ChatEngine`, for a machine whose GPU is ours alone."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any

from rolesynth_assets.mllm.completion import why_no_text
from rolesynth_assets.mllm.engine import (
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    ModelIdentity,
)
from rolesynth_assets.mllm.messages import MessageBuilder, UnreadableImageError
from rolesynth_assets.mllm.served_model import UNKNOWN_REVISION, cached_commit
from rolesynth_assets.mllm.settings import EngineSettings


class VllmEngine:
    """Answers batch by batch; the requests of one image always share a batch.

    The model is loaded by the first call of `complete`, not by `identity`. `concurrency` is the
    batch size; `extra_body` holds further `SamplingParams`, `vllm_options` arguments of `LLM`.
    A batch that has begun runs to its end even when its consumer is cancelled.
    """

    def __init__(self, settings: EngineSettings) -> None:
        if not settings.model:
            raise EngineError(
                f"The vllm engine needs {settings.names.model}: a Hugging Face model id or a local "
                "folder."
            )
        try:
            import vllm  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise EngineError(
                f"The vllm engine needs the vllm package ({error}): install it with "
                "`pip install 'rolesynth-assets[vllm]'`, or start a vLLM server elsewhere and use "
                f"{settings.names.engine}=openai."
            ) from None
        self._vllm: Any = vllm
        self._llm: Any = None
        self._settings = settings
        self._messages = MessageBuilder(settings.pixel_budget)
        revision = settings.revision or cached_commit(settings.model) or UNKNOWN_REVISION
        self._identity = ModelIdentity("vllm", settings.model, revision + settings.revision_suffix)

    @property
    def identity(self) -> ModelIdentity:
        """Name and revision from the settings, or the commit in a Hugging Face cache folder."""
        return self._identity

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncGenerator[ChatReply, None]:
        """Yield the replies of one batch after the other; one batch is read ahead.

        Raises:
            EngineError: the model cannot be loaded, or vLLM failed as a whole.
        """
        for batch in image_batches(requests, self._settings.concurrency):
            for reply in await asyncio.to_thread(self._answer_batch, batch):
                yield reply

    async def aclose(self) -> None:
        """Let go of the model, so that the GPU's memory is freed."""
        self._llm = None

    def _model(self) -> Any:
        if self._llm is None:
            options = dict(self._settings.vllm_options)
            if self._settings.revision:
                options.setdefault("revision", self._settings.revision)
            try:
                self._llm = self._vllm.LLM(model=self._settings.model, **options)
            except Exception as error:
                raise EngineError(
                    f"vLLM cannot load {self._settings.model!r}: {error}. Check ROLESYNTH_MODEL "
                    "and ROLESYNTH_VLLM_OPTIONS (a JSON object of vllm.LLM's arguments)."
                ) from error
        return self._llm

    def _answer_batch(self, batch: list[ChatRequest]) -> list[ChatReply]:
        replies: list[ChatReply] = []
        sent: list[ChatRequest] = []
        conversations: list[list[dict[str, Any]]] = []
        for request in batch:
            try:
                conversations.append(self._messages.build(request))
                sent.append(request)
            except UnreadableImageError as error:
                replies.append(ChatReply(request.key, None, FailureReason.REJECTED, str(error)))
        return replies + self._chat(sent, conversations)

    def _chat(
        self, requests: list[ChatRequest], conversations: list[list[dict[str, Any]]]
    ) -> list[ChatReply]:
        """Run a batch; vLLM refuses it whole for one bad prompt, so then each runs alone."""
        if not requests:
            return []
        llm = self._model()
        sampling = [self._sampling_params(request) for request in requests]
        started = time.perf_counter()
        try:
            outputs = llm.chat(conversations, sampling, use_tqdm=False)
        except ValueError as error:
            if len(requests) == 1:
                return [ChatReply(requests[0].key, None, FailureReason.REJECTED, str(error))]
            return [
                reply
                for request, conversation in zip(requests, conversations, strict=True)
                for reply in self._chat([request], [conversation])
            ]
        except Exception as error:
            raise EngineError(
                f"vLLM failed on a batch of {len(requests)}: {error}. Lower ROLESYNTH_CONCURRENCY "
                "or change ROLESYNTH_VLLM_OPTIONS, then run again: what was answered is kept."
            ) from error
        latency_s = (time.perf_counter() - started) / len(requests)
        return [
            _reply(request.key, output, latency_s)
            for request, output in zip(requests, outputs, strict=True)
        ]

    def _sampling_params(self, request: ChatRequest) -> Any:
        options = dict(self._settings.extra_body)
        if request.json_mode:
            from vllm.sampling_params import (  # pyright: ignore[reportMissingImports]
                StructuredOutputsParams,
            )

            options["structured_outputs"] = StructuredOutputsParams(json_object=True)
        return self._vllm.SamplingParams(
            temperature=request.sampling.temperature,
            top_p=request.sampling.top_p,
            max_tokens=request.sampling.max_tokens,
            seed=request.seed,
            **options,
        )


def image_batches(requests: Iterable[ChatRequest], size: int) -> Iterator[list[ChatRequest]]:
    """Cut requests into batches of at least `size` that never part the requests of one image.

    The requests of an image come back to back; a batch ends at the next change of image.
    """
    batch: list[ChatRequest] = []
    for request in requests:
        if len(batch) >= size and (not request.images or request.images != batch[-1].images):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _reply(key: str, output: Any, latency_s: float) -> ChatReply:
    """Read a `vllm.RequestOutput`; the latency is the request's share of its batch."""
    answer = output.outputs[0]
    text = answer.text.strip()
    finish_reason = answer.finish_reason or ""
    reason, detail = why_no_text(text, finish_reason)
    return ChatReply(
        key=key,
        text=text if reason is None else None,
        reason=reason,
        detail=detail,
        finish_reason=finish_reason,
        prompt_tokens=len(output.prompt_token_ids or ()),
        completion_tokens=len(answer.token_ids),
        latency_s=latency_s,
    )
