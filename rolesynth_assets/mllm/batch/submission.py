"""Submission of a partition's requests, which goes on after a kill where it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from rolesynth_assets.mllm.batch.api import BatchApi, Look, NoListError, RefusedError
from rolesynth_assets.mllm.batch.batch_bodies import BatchBodies
from rolesynth_assets.mllm.batch.request_lines import RequestLines
from rolesynth_assets.mllm.engine import ChatReply, EngineError, FailureReason
from rolesynth_assets.mllm.openai.faults import FaultReader, RetryableFault
from rolesynth_assets.mllm.openai.retries import Backoff
from rolesynth_assets.mllm.rows.batch_ledger import Batch, Ledger, State, time_now
from rolesynth_assets.mllm.rows.batch_work import BatchWork
from rolesynth_assets.mllm.settings import EngineSettings

_CREATE_ATTEMPTS = 4

_log = logging.getLogger("rolesynth")


@dataclass(frozen=True)
class Provider:
    """One model at one provider with a Batch API.

    Attributes:
        settings: the engine's.
        bodies: writes requests and reads answers.
        faults: reads faults.
        backoff: waits between attempts.
        api: the Batch API.
    """

    settings: EngineSettings
    bodies: BatchBodies
    faults: FaultReader
    backoff: Backoff
    api: BatchApi


class Submission:
    """Submits one partition's requests.

    Attributes:
        left: keys of requests without a reply; whoever yields a reply takes its key out.
        full: why the server took no further batch, in its words.
    """

    def __init__(self, provider: Provider, ledger: Ledger, work: BatchWork) -> None:
        self._settings, self._bodies = provider.settings, provider.bodies
        self._faults, self._backoff, self._api = provider.faults, provider.backoff, provider.api
        self._ledger, self._work = ledger, work
        self.left = dict.fromkeys(work.keys)
        self.full = ""

    def mine(self, *states: State) -> list[Batch]:
        """Return the partition's batches in some states that hold wanted requests."""
        return [
            batch
            for batch in self._ledger.batches(self._work.place)
            if batch.state in states and self._ledger.keys(batch.name) & self.left.keys()
        ]

    def others_open(self) -> bool:
        """Return whether the server has any batch, of whichever partition."""
        return self._ledger.count(self._faults.base_url) > 0

    def unsent(self) -> list[str]:
        """Return the keys of requests without a reply that are in no batch."""
        held = self._ledger.keys_of(self._work.place)
        return [key for key in self.left if key not in held]

    def no_room(self) -> EngineError:
        """Return the error for a server that has room for no batch."""
        return EngineError(
            f"{self._faults.base_url} takes no batch ({self.full}). If its queue is too small for "
            f"one, lower {self._settings.names.batch_requests}; else run again later: nothing of "
            "it is paid."
        )

    async def find_uploads(self) -> None:
        """Go on where an earlier run was killed while it wrote or sent a file."""
        for batch in self._ledger.batches(self._work.place):
            if batch.base_url != self._faults.base_url:
                continue
            path, found = self._ledger.folder / _file_name(batch.name), ""
            if batch.state is State.UPLOADING:
                if path.exists():
                    found = await self._api.find_file(path.name, path.stat().st_size)
                if found:
                    self._ledger.uploaded(batch.name, found)
                else:
                    _log.warning(
                        "a run was killed while it sent the file %s to %s; the server does not "
                        "list it, and its requests are sent anew",
                        *(path.name, self._faults.base_url),
                    )
            path.unlink(missing_ok=True)
            if batch.state in (State.BUILDING, State.UPLOADING) and not found:
                self._ledger.close(batch.name)

    async def submit(self) -> AsyncGenerator[ChatReply, None]:
        """Submit what is not in a batch, as far as there is room; yield what cannot be sent."""
        for batch in self.mine(State.UPLOADED, State.CREATING):
            if not await self._create(batch):
                return
        if not (unsent := self.unsent()):
            return
        requests = self._work.requests(unsent)
        lines = RequestLines(
            requests,
            self._bodies.body,
            self._settings.batch_requests,
            int(self._settings.batch_mb * 1e6),
            self._settings.names.batch_mb,
        )
        try:
            while not lines.exhausted and self._room():
                batch = self._begun()
                path = self._ledger.folder / _file_name(batch.name)
                written = lines.write(path)
                for key, why in written.refused.items():
                    del self.left[key]
                    yield ChatReply(key, None, FailureReason.REJECTED, why)
                if not await self._sent(batch, path, written.keys):
                    break
        finally:
            if isinstance(requests, Generator):
                requests.close()
        if lines.exhausted:  # what is left without a batch is of images that were withdrawn
            for key in self.unsent():
                if key in unsent:
                    del self.left[key]

    def _room(self) -> bool:
        return self._ledger.count(self._faults.base_url) < self._settings.batches_at_once

    def _begun(self) -> Batch:
        """Note a batch whose file will be written."""
        batch = Batch(
            uuid4().hex,
            self._work.place,
            self._work.partition,
            self._faults.base_url,
            self._faults.model,
            self._bodies.learned,
            time_now(),
            State.BUILDING,
        )
        self._ledger.begin(batch)
        return batch

    async def _sent(self, batch: Batch, path: Path, keys: Sequence[str]) -> bool:
        """Send a written file and ask for its batch; return whether the server takes more."""
        if not keys:
            path.unlink()
            self._ledger.close(batch.name)
            return True
        self._ledger.uploading(batch.name, keys)
        try:
            file_id = await self._api.upload(path, path.name)
        except RetryableFault as fault:
            raise EngineError(
                f"{self._faults.base_url} did not take a file of {len(keys):,} requests "
                f"({fault.detail}). Nothing of it was paid. Run again."
            ) from None
        self._ledger.uploaded(batch.name, file_id)
        path.unlink()
        return await self._create(replace(batch, state=State.UPLOADED, file_id=file_id))

    async def _create(self, batch: Batch) -> bool:
        """Make the batch of an uploaded file, once; return False if the server has no room."""
        doubtful = batch.state is State.CREATING
        for attempt in range(1, _CREATE_ATTEMPTS + 1):
            if doubtful and (found := await self._made_before(batch)):
                self._ledger.submitted(batch.name, found.batch_id)
                return True
            self._ledger.creating(batch.name)
            doubtful = True
            try:
                look = await self._api.create(batch.file_id, batch.name)
            except RefusedError:
                self._ledger.close(batch.name)
                await self._api.delete_file(batch.file_id)
                raise
            except RetryableFault as fault:
                if fault.answered:  # so it was not made
                    self._ledger.uploaded(batch.name, batch.file_id)
                    self.full = fault.detail
                    return False
                said = fault.detail
                await asyncio.sleep(self._backoff.wait_s(attempt, fault))
            else:
                self._ledger.submitted(batch.name, look.batch_id)
                _log.info("batch %s of %s requests is submitted", look.batch_id, batch.total)
                return True
        raise EngineError(
            f"{self._faults.base_url} does not say whether it made a batch of file "
            f"{batch.file_id} ({said}). Run again: it is looked for there before it is asked for."
        )

    async def _made_before(self, batch: Batch) -> Look | None:
        """Return the batch that the server may have made before it could be noted.

        Raises:
            EngineError: the server cannot be asked for it.
        """
        try:
            return await self._api.find(batch.file_id)
        except NoListError:
            raise EngineError(
                f"A run ended while {self._faults.base_url} was asked for a batch of file "
                f"{batch.file_id}, and the server does not list its batches. Look there whether "
                f"it has one, cancel it, and run `rolesynth batches forget {batch.name}`."
            ) from None
        except RetryableFault as fault:
            raise EngineError(
                f"{self._faults.base_url} does not list its batches ({fault.detail}). Run again."
            ) from None


def _file_name(name: str) -> str:
    return f"rolesynth-{name}.jsonl"
