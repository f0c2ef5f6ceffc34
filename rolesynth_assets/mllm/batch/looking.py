"""Looks at open batches from outside of the runs that made them, and ends them on wish."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.batch.api import ENDED, BatchApi, UnknownBatchError
from rolesynth_assets.mllm.batch.engine import OpenAIBatchEngine
from rolesynth_assets.mllm.engine import EngineError
from rolesynth_assets.mllm.openai.faults import RetryableFault
from rolesynth_assets.mllm.rows.batch_ledger import Batch, Ledger, State, known_ledger, ledger_path
from rolesynth_assets.mllm.settings import EngineSettings

UNKNOWN = "unknown at the server"
T = TypeVar("T")


def look_at_all(settings: EngineSettings, data_root: DataPath | str, table: str) -> list[str]:
    """Ask a server for the states of a table's batches, and note them in the ledger.

    Args:
        settings: the model that the table's rows are asked of.
        data_root: where the ledger is.
        table: the table.

    Returns:
        What could not be asked, a line each.

    Raises:
        EngineError: the server refuses the key, or does not answer as a Batch API.
    """
    path, faults = known_ledger(data_root, table), []
    if path is None or settings.base_url is None:
        return []
    with Ledger(path) as ledger:
        open_ones = [batch for batch in ledger.batches() if _is_open(batch, settings)]

        async def look(api: BatchApi) -> None:
            for batch in open_ones:
                try:
                    now = await api.look(batch.batch_id)
                    ledger.look(batch.name, now.status, now.done, now.failed)
                except UnknownBatchError:
                    ledger.look(batch.name, UNKNOWN, batch.done, batch.failed)
                except RetryableFault as fault:
                    faults.append(f"{batch.shown_id}: {fault.detail}")

        if open_ones:
            _with_api(settings, look)
    return faults


def cancel(settings: EngineSettings, data_root: DataPath | str, table: str, batch: Batch) -> Batch:
    """Cancel a batch at its server; answers that there are stay, and are paid.

    Raises:
        EngineError: the server refuses, or cannot be asked.
    """

    async def ask(api: BatchApi) -> Batch:
        try:
            now = await api.cancel(batch.batch_id)
        except RetryableFault as fault:
            raise EngineError(f"{batch.base_url} does not answer ({fault.detail}).") from None
        return replace(batch, status=now.status, done=now.done, failed=now.failed)

    after = _with_api(settings, ask)
    with Ledger(ledger_path(data_root, table)) as ledger:
        ledger.look(batch.name, after.status, after.done, after.failed)
    return after


def has_ended(batch: Batch) -> bool:
    """Return whether a batch had ended, or was unknown, when it was looked at last."""
    return batch.status in ENDED or batch.status == UNKNOWN


def _is_open(batch: Batch, settings: EngineSettings) -> bool:
    submitted = batch.state is State.SUBMITTED and batch.base_url == settings.base_url
    return submitted and not has_ended(batch)


def _with_api(settings: EngineSettings, ask: Callable[[BatchApi], Awaitable[T]]) -> T:
    engine = OpenAIBatchEngine(settings)

    async def run() -> T:
        async with engine.transfer() as connection:
            return await ask(engine.api(connection))

    return asyncio.run(run())
