"""vLLM in process (`vllm.LLM`) as a `ChatEngine`, for a machine whose GPU is not shared."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rolesynth_assets.mllm.control_tokens import restored_reply
from rolesynth_assets.mllm.cost.cache_use import Caches, summed
from rolesynth_assets.mllm.engine import (
    LOADING,
    ChatReply,
    ChatRequest,
    EngineError,
    FailureReason,
    ModelIdentity,
)
from rolesynth_assets.mllm.failure_streak import Health
from rolesynth_assets.mllm.messages import MessageBuilder, UnreadableImageError
from rolesynth_assets.mllm.openai.reply import why_no_text
from rolesynth_assets.mllm.openai.revision import UNKNOWN_REVISION, cached_commit
from rolesynth_assets.mllm.settings import EngineSettings

_DETAIL_CHARS = 300
"""Characters of vLLM's errors that are kept: the start has the cause; the request may follow."""


class VllmEngine:
    """An engine that answers batch by batch; the requests of one image always share a batch.

    The model is loaded by the first call of `complete`, not by `identity`. `concurrency` is the
    batch size; `extra_body` has further `SamplingParams`, and `vllm_options` arguments of `LLM`.
    A batch that has begun runs to its end even if its consumer is cancelled. An `LLM` serves one
    caller at a time, so concurrent iterations take turns.
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
        self._turn = ThreadPoolExecutor(1, thread_name_prefix="vllm")
        self._closed = False
        self._settings = settings
        self._health = Health.of(settings.concurrency)
        self._messages = MessageBuilder(settings.pixel_budget)
        revision = settings.revision or cached_commit(settings.model) or UNKNOWN_REVISION
        self._identity = ModelIdentity("vllm", settings.model, revision + settings.revision_suffix)

    @property
    def identity(self) -> ModelIdentity:
        """Name and revision from the settings, or the commit of a Hugging Face cache folder."""
        return self._identity

    async def complete(self, requests: Iterable[ChatRequest]) -> AsyncGenerator[ChatReply, None]:
        """Yield the replies of one batch after the other; one request is read ahead.

        Raises:
            EngineError: the model cannot be loaded, vLLM failed as a whole, it rejects request
                after request and has answered none, or this engine is closed.
        """
        loop = asyncio.get_running_loop()
        held: list[ChatReply] = []  # rejections, until an answer proves that the model works
        for batch in image_batches(requests, self._settings.concurrency):
            if self._closed:
                raise EngineError("This engine is closed; make a new one.")
            for reply in await loop.run_in_executor(self._turn, self._answer_batch, batch):
                if self._health.note(reply):
                    yield reply
                else:
                    held.append(reply)
            self._stop_if_failing()
            if self._health.proven:
                for reply in held:
                    yield reply
                held.clear()
        for reply in held:
            yield reply

    async def caches(self) -> Caches | None:
        """Return what vLLM has counted; nothing before the model is loaded, None if it cannot."""
        if self._closed or self._llm is None:
            return {}
        return await asyncio.get_running_loop().run_in_executor(self._turn, self._counted)

    def _counted(self) -> Caches | None:
        try:
            metrics = self._llm.get_metrics()
            return summed((m.name, m.value) for m in metrics if hasattr(m, "value"))
        except Exception:  # statistics that are switched off, or an older vLLM
            return None

    async def aclose(self) -> None:
        """End vLLM's processes to free the GPU's memory; a running batch is awaited first."""
        if self._closed:
            return
        self._closed = True
        await asyncio.get_running_loop().run_in_executor(self._turn, self._release)
        self._turn.shutdown(wait=False)

    def _release(self) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            llm.llm_engine.engine_core.shutdown()

    def _stop_if_failing(self) -> None:
        if self._health.failing:
            raise EngineError(
                f"vLLM answered none of {self._health.failures_in_a_row} requests for "
                f"{self._settings.model!r} (the last: {self._health.last_failure}). See whether "
                "the model takes images and whether max_model_len is large enough "
                "(vllm_options), then run again: answered requests are kept."
            )

    def _model(self) -> Any:
        if self._llm is None:
            options = {"disable_log_stats": False, **self._settings.vllm_options}  # for `caches`
            if self._settings.revision:
                options.setdefault("revision", self._settings.revision)
            try:
                with LOADING:
                    self._llm = self._vllm.LLM(model=self._settings.model, **options)
            except Exception as error:
                raise EngineError(
                    f"vLLM cannot load {self._settings.model!r}: {error}. Check "
                    f"{self._settings.names.model} and vllm_options (a JSON object of vllm.LLM's "
                    "arguments); vLLM's log above says more."
                ) from error
        return self._llm

    def _answer_batch(self, batch: list[ChatRequest]) -> list[ChatReply]:
        replies: list[ChatReply] = []
        readable: list[tuple[ChatRequest, list[dict[str, Any]]]] = []
        for request in batch:
            try:
                readable.append((request, self._messages.build(request)))
            except UnreadableImageError as error:
                replies.append(ChatReply(request.key, None, FailureReason.REJECTED, str(error)))
        return replies + self._chat(readable) if readable else replies

    def _chat(self, asked: list[tuple[ChatRequest, list[dict[str, Any]]]]) -> list[ChatReply]:
        """Queue requests one by one, so that vLLM refuses only bad ones, and wait for all."""
        llm = self._model()
        fields = {request.key: self._fields(request) for request, _ in asked}
        sampling = [self._sampling_params(request, fields[request.key]) for request, _ in asked]
        rejected: list[tuple[ChatRequest, Exception]] = []
        queued: list[ChatRequest] = []
        started = time.perf_counter()
        try:
            for (request, conversation), how in zip(asked, sampling, strict=True):
                try:
                    llm.enqueue_chat(conversation, how, use_tqdm=False)
                    queued.append(request)
                except self._vllm.exceptions.VLLMServerError:
                    raise
                except Exception as error:  # only this request is affected
                    rejected.append((request, error))
            outputs = llm.wait_for_completion(use_tqdm=False)
            answered = list(zip(queued, outputs, strict=True))
        except Exception as error:
            raise EngineError(
                f"vLLM failed on a batch of {len(asked)}: {error!r}. Lower the concurrency or "
                "change vllm_options, then run again: answered requests are kept."
            ) from error
        latency_s = (time.perf_counter() - started) / len(asked)
        return [_refused(request.key, error, latency_s) for request, error in rejected] + [
            restored_reply(_reply(request.key, output, latency_s, fields[request.key]), request)
            for request, output in answered
        ]

    def _fields(self, request: ChatRequest) -> dict[str, Any]:
        """Return the sampling of a request as vLLM gets it."""
        sampling = request.sampling
        return self._settings.with_extra(
            {
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_tokens,
                "seed": request.seed,
            }
        )

    def _sampling_params(self, request: ChatRequest, fields: Mapping[str, Any]) -> Any:
        options = dict(fields)
        if request.json_mode and "structured_outputs" not in options:
            from vllm.sampling_params import (  # pyright: ignore[reportMissingImports]
                StructuredOutputsParams,
            )

            options["structured_outputs"] = StructuredOutputsParams(json_object=True)
        try:
            return self._vllm.SamplingParams(**options)
        except Exception as error:
            raise EngineError(
                f"vLLM does not accept the sampling ({error}). Choose values that it accepts, for "
                f"{request.sampling} or in extra_body."
            ) from error


def image_batches(requests: Iterable[ChatRequest], size: int) -> Iterator[list[ChatRequest]]:
    """Split requests into batches of at least `size` that never separate those of one image.

    The requests of an image are consecutive; a batch ends at the next change of image.
    """
    batch: list[ChatRequest] = []
    for request in requests:
        if len(batch) >= size and (not request.images or request.images != batch[-1].images):
            yield batch
            batch = []
        batch.append(request)
    if batch:
        yield batch


def _refused(key: str, error: Exception, latency_s: float) -> ChatReply:
    detail = f"{type(error).__name__}: {error}"
    return ChatReply(key, None, FailureReason.REJECTED, detail[:_DETAIL_CHARS], latency_s=latency_s)


def _reply(key: str, output: Any, latency_s: float, sent: Mapping[str, Any]) -> ChatReply:
    """Read a `vllm.RequestOutput`; the latency is the request's share of its batch."""
    answer = output.outputs[0]
    text = answer.text.strip()
    finish_reason = answer.finish_reason or ""
    reason, detail = why_no_text(text, [finish_reason])
    return ChatReply(
        key=key,
        text=text if reason is None else None,
        reason=reason,
        detail=detail,
        finish_reason=finish_reason,
        prompt_tokens=len(output.prompt_token_ids or ()),
        completion_tokens=len(answer.token_ids),
        latency_s=latency_s,
        sent=sent,
    )
