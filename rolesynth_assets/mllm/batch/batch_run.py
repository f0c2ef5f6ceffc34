"""One partition's way through a Batch API: submit, look, collect, and go on after a kill."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator
from dataclasses import replace

from rolesynth_assets.mllm.batch.answer_lines import AnswerLine, read_lines
from rolesynth_assets.mllm.batch.api import Look, UnknownBatchError
from rolesynth_assets.mllm.batch.submission import Provider, Submission
from rolesynth_assets.mllm.engine import ChatReply, EngineError, FailureReason
from rolesynth_assets.mllm.openai.faults import RetryableFault
from rolesynth_assets.mllm.rows.batch_ledger import Batch, Ledger, State
from rolesynth_assets.mllm.rows.batch_work import BatchesOpenError, BatchWork, waits

_LESSONS = 4
"""Refusals of one request from which is learned, before it counts as refused."""
_LINE_ROOM = 2**16
"""Bytes of a line beside its answer."""

_log = logging.getLogger("rolesynth")


class BatchRun:
    """Answers one partition's requests through batches."""

    def __init__(self, provider: Provider, ledger: Ledger, work: BatchWork) -> None:
        self._settings, self._bodies = provider.settings, provider.bodies
        self._faults, self._api = provider.faults, provider.api
        self._ledger, self._work = ledger, work
        self._submission = Submission(provider, ledger, work)
        self._left = self._submission.left
        self._lessons: Counter[str] = Counter()
        self._problem: EngineError | None = None

    async def replies(self) -> AsyncGenerator[ChatReply, None]:
        """Yield a reply for each wanted request; see `BatchEngine.through_batches`."""
        self._refuse_elsewhere()
        await self._submission.find_uploads()
        while True:
            async for reply in self._collect():
                yield reply
            if self._problem:
                raise self._problem
            async for reply in self._submission.submit():
                yield reply
            self._ledger.note_unsent(self._work.place, len(self._submission.unsent()))
            if not self._left:
                return
            if not self._submission.mine(State.SUBMITTED) and not self._submission.others_open():
                raise self._submission.no_room()
            if not waits():
                raise BatchesOpenError(self._waiting())
            await asyncio.sleep(self._settings.batch_poll_s)

    def _waiting(self) -> str:
        of, unsent = self._submission.mine(State.SUBMITTED), len(self._submission.unsent())
        listed = "; ".join(batch.in_words for batch in of[:5])
        more = f" and {len(of) - 5} more" if len(of) > 5 else ""
        later = f"; {unsent:,} requests wait for room at the server" if unsent else ""
        return f"waiting for {len(of)} batches: {listed}{more}{later}. Run this again to collect"

    def _refuse_elsewhere(self) -> None:
        """Stop if requests are in batches of another server.

        Raises:
            EngineError: they are.
        """
        for batch in self._submission.mine(*State):
            if batch.base_url != self._faults.base_url:
                names = self._settings.names
                raise EngineError(
                    f"Batch {batch.shown_id} at {batch.base_url} holds requests of "
                    f"{self._work.table} {' '.join(self._work.partition.values())}, which would be "
                    f"paid twice at {self._faults.base_url}. Set {names.base_url} to that address "
                    f"to collect it, or run `rolesynth batches forget {batch.shown_id}`."
                )

    async def _collect(self) -> AsyncGenerator[ChatReply, None]:
        """Yield the replies of the batches that have ended."""
        for batch in self._ledger.batches(self._work.place):
            if batch.state is not State.SUBMITTED or batch.base_url != self._faults.base_url:
                continue
            look = await self._look(batch)
            if look is None or not look.ended:
                if look and not self._ledger.keys(batch.name) & self._left.keys():
                    _log.warning(
                        "batch %s is not wanted any more; `rolesynth batches cancel %s` ends it",
                        *(batch.in_words, batch.shown_id),
                    )
                continue
            if look.refused and look.over_limit:
                self._submission.full = look.words
                self._ledger.uploaded(batch.name, batch.file_id)  # is tried again without a file
                if not self._submission.others_open():
                    self._problem = self._submission.no_room()
                continue
            if look.refused:
                self._problem = EngineError(
                    f"{self._faults.base_url} refuses batch {look.batch_id} of "
                    f"{batch.total:,} requests: {look.words or 'it gives no reason'}. Nothing of "
                    "it was paid. Put right what it names, then run again."
                )
            else:
                try:
                    async for reply in self._read(batch, look):
                        yield reply
                except RetryableFault as fault:
                    _log.warning("batch %s cannot be read now: %s", batch.batch_id, fault.detail)
                    continue
                except UnknownBatchError as error:
                    self._problem = error
                    continue
                self._work.keep()
            self._ledger.close(batch.name)
            await self._api.delete_file(batch.file_id)  # it has the pictures

    async def _look(self, batch: Batch) -> Look | None:
        """Ask the server for a batch's state; None if it cannot be reached now."""
        try:
            look = await self._api.look(batch.batch_id)
        except RetryableFault as fault:
            _log.warning("batch %s: %s; it is asked again", batch.batch_id, fault.detail)
            return None
        if look.status != batch.status or look.done != batch.done:
            self._ledger.look(batch.name, look.status, look.done, look.failed)
            now = replace(batch, status=look.status, done=look.done, failed=look.failed)
            _log.info("batch %s", now.in_words)
        return look

    async def _read(self, batch: Batch, look: Look) -> AsyncGenerator[ChatReply, None]:
        """Yield the replies of an ended batch: answers first, then what has none."""
        open_keys = self._ledger.keys(batch.name) & self._left.keys()
        errors: list[AnswerLine] = []
        for file_id in filter(None, (look.output_id, look.error_id)):
            async for line in self._lines(batch, file_id):
                if line.key not in open_keys:  # answered by a line before, or never asked
                    continue
                if line.error or line.unasked or line.too_long:
                    errors.append(line)
                    continue
                open_keys.discard(line.key)
                del self._left[line.key]
                self._bodies.heard()
                yield self._bodies.reply(batch.learned, self._work.bare(line.key), line)
        for line in errors:
            if line.key in open_keys:
                open_keys.discard(line.key)
                if reply := self._of_error(batch, line):
                    del self._left[line.key]
                    yield reply
        why = f"batch {look.batch_id} ended as {look.status} without an answer to it"
        for key in open_keys:
            del self._left[key]
            sent = self._bodies.sent(batch.learned, self._work.bare(key))
            yield ChatReply(key, None, FailureReason.CALL_FAILED, why, sent=sent)

    async def _lines(self, batch: Batch, file_id: str) -> AsyncGenerator[AnswerLine, None]:
        """Yield the lines of a file of the server's; it is on this disk meanwhile."""
        path = self._ledger.folder / f"{batch.name}.answers"
        longest = self._settings.max_reply_bytes + _LINE_ROOM
        try:
            await self._api.download(file_id, path, longest + batch.total * _LINE_ROOM)
            for line in read_lines(path, longest):
                if not line.key:
                    said = self._faults.redact(line.body.decode("utf-8", "replace"))
                    _log.warning("batch %s: a line is no answer: %s", batch.batch_id, said)
                    continue
                yield line
        finally:
            path.unlink(missing_ok=True)

    def _of_error(self, batch: Batch, line: AnswerLine) -> ChatReply | None:
        """Return the reply to a request that failed; None if it is asked again or ends the run."""
        request = self._work.bare(line.key)
        sent = self._bodies.sent(batch.learned, request)
        if line.unasked:
            why = self._faults.redact(line.unasked)
            return ChatReply(line.key, None, FailureReason.CALL_FAILED, why, sent=sent)
        if line.error is None:
            most = self._settings.names.max_reply_bytes
            why = f"an answer longer than {most}"
            return ChatReply(line.key, None, FailureReason.OVERSIZED, why, sent=sent)
        try:
            if self._lessons[line.key] < _LESSONS and self._bodies.learn(
                batch.learned, request, line.error
            ):
                self._lessons[line.key] += 1
                return None
            fault = self._faults.of_server(line.error)
        except EngineError as error:
            fault = error
        if isinstance(fault, EngineError):
            self._problem = self._problem or fault
            return None
        return ChatReply(line.key, None, fault.reason, str(fault), sent=sent)
