"""A `ChatEngine` whose rows are asked for through the Batch API of an OpenAI-compatible provider.

Providers usually take half the price for it, and up to a day. What needs an answer at once, such as
the check of a model before it is paid, is asked as the engine `openai` asks it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.mllm.batch.api import BatchApi
from rolesynth_assets.mllm.batch.batch_bodies import BatchBodies
from rolesynth_assets.mllm.batch.batch_run import BatchRun
from rolesynth_assets.mllm.batch.file_transfer import FileTransfer
from rolesynth_assets.mllm.batch.submission import Provider
from rolesynth_assets.mllm.cost.cache_use import Caches
from rolesynth_assets.mllm.engine import ChatReply, EngineError
from rolesynth_assets.mllm.openai.engine import OpenAIEngine
from rolesynth_assets.mllm.openai.faults import RetryableFault
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.rows.batch_ledger import Ledger, ledger_path
from rolesynth_assets.mllm.rows.batch_work import BatchWork
from rolesynth_assets.mllm.settings import EngineSettings


class OpenAIBatchEngine(OpenAIEngine):
    """The same model as of `OpenAIEngine`, with the same identity, requests and replies."""

    takes_batches = True

    def __init__(self, settings: EngineSettings, backoff: Backoff | None = None) -> None:
        super().__init__(settings, backoff)
        if self._fleet.several:
            names = settings.names
            raise EngineError(
                f"The {settings.engine} engine asks one provider, and {names.base_url} names "
                f"{len(settings.base_urls)}: set it to one address, or {names.engine} to openai, "
                "which shares requests among them."
            )
        self._endpoint = self._fleet.endpoints[0]
        self._faults, self._backoff = self._endpoint.faults, backoff or Backoff()

    def __repr__(self) -> str:
        return f"OpenAIBatchEngine(model={self._model!r}, base_url={self._faults.base_url!r})"

    async def through_batches(self, work: BatchWork) -> AsyncGenerator[ChatReply, None]:
        """Yield a reply for each wanted request; see `BatchEngine.through_batches`."""
        if DataPaths(work.data_root).in_bucket:
            raise EngineError(
                f"The {self._settings.engine} engine notes what it submits in a folder, and the "
                f"data root {work.data_root} is in a bucket. Set {self._settings.names.engine} to "
                "openai, or ROLESYNTH_DATA to a folder."
            )
        bodies = BatchBodies(
            *(self._settings, self._model, self._endpoint), self._caller, self._messages
        )
        with Ledger(ledger_path(work.data_root, work.table)) as ledger:
            async with self.transfer() as connection:
                api = self.api(connection)
                provider = Provider(self._settings, bodies, self._faults, self._backoff, api)
                run = BatchRun(provider, ledger, work)
                try:
                    async for reply in run.replies():
                        yield reply
                except RetryableFault as fault:
                    raise EngineError(
                        f"{self._faults.base_url} does not answer ({fault.detail}). Run again: "
                        "batches that were submitted are not submitted again."
                    ) from None

    def transfer(self) -> FileTransfer:
        """Return connections for one event loop."""
        faults, limit = self._faults, self._settings.max_reply_bytes
        return FileTransfer(faults.base_url, faults.secret, self._settings.timeout_s, limit)

    def api(self, connection: FileTransfer) -> BatchApi:
        """Return the server's Batch API over some connections."""
        return BatchApi(connection, self._faults, self._backoff, self._settings.max_retries)

    async def caches(self) -> Caches | None:
        """Return None: what a server caches while a batch waits is not this work's."""
        return None
