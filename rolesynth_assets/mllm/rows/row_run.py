"""A run that makes the missing rows of a partition from a model's replies.

Every reply is written to the journal when it arrives, and removed from it when its row is in the
store, so a run that continues a killed one repeats only the calls that were in flight. For images
that are withdrawn during the run, nothing more is requested or written.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from rolesynth_assets.mllm.cost.cache_use import Spared, spared
from rolesynth_assets.mllm.engine import ChatEngine, ChatReply, ChatRequest, FailureReason
from rolesynth_assets.mllm.rows.batch_work import (
    BatchesOpenError,
    BatchWork,
    as_batch_engine,
    has_batches,
    refuse_submitted,
    submitted_keys,
)
from rolesynth_assets.mllm.rows.one_go import note_unanswered
from rolesynth_assets.mllm.rows.reply_journal import ReplyJournal, journal_path
from rolesynth_assets.mllm.sent import Answering
from rolesynth_assets.progress import Progress
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.errors import MissingRowError
from rolesynth_assets.store.lance.maintenance.compaction import FOLD_FILES
from rolesynth_assets.store.tombstones import Withdrawn

if TYPE_CHECKING:
    import asyncio

    import pyarrow as pa

    from rolesynth_assets.store.lance.image_rows import ImageRows
    from rolesynth_assets.store.lance.reader import StoreReader
    from rolesynth_assets.store.lance.store import Store

IMAGES_AT_ONCE = 32
"""Images that are read at a time; the bytes of twice as many are held in memory."""
PASSING = tuple(reason.value for reason in FailureReason if reason.transient)
"""Transient reasons, which the next run tries again."""
RETRY = "reason IN ({})".format(", ".join(f"'{reason}'" for reason in PASSING))
"""SQL predicate of the stored rows that the next run asks for again."""


class RowRunError(RuntimeError):
    """The engine broke its contract; the message names partition and request."""


class Wanted(Protocol):
    """A wanted row, which a model makes from one image."""

    @property
    def key(self) -> str:
        """The key of the row and of its request."""
        ...

    @property
    def image_id(self) -> str:
        """The image that the request shows."""
        ...


W = TypeVar("W", bound=Wanted)


@dataclass(frozen=True)
class Rows(Generic[W]):
    """The kind of rows that a run makes.

    Attributes:
        table: table of the rows; its journal has the same name.
        request: function that builds a request from the wanted row and the image's bytes.
        row: function that makes the row from the wanted row and the reply.
    """

    table: str
    request: Callable[[W, bytes], ChatRequest]
    row: Callable[[W, ChatReply], dict[str, object]]


def recoverable(store: StoreReader, table: str, partition: Mapping[str, str]) -> set[str]:
    """Return the keys of a partition's rows whose replies are paid for and only in the journal."""
    path, place = journal_path(store.root, table), _place(partition)
    if not path.exists():
        return set()
    with ReplyJournal(path) as journal:
        return {key.partition("/")[2] for key, _ in journal.begin_with(place)}


def in_batches(store: StoreReader, table: str, partition: Mapping[str, str]) -> set[str]:
    """Return the keys of a partition's rows that were submitted in batches, not yet collected."""
    return submitted_keys(store.root, table, _place(partition))


def _place(partition: Mapping[str, str]) -> str:
    """Return the beginning of a partition's keys in the journal."""
    return digest("partition", *(f"{k}={v}" for k, v in sorted(partition.items())))[:16]


class RowRun(Generic[W]):
    """Makes the missing rows of one partition and counts the calls and tokens.

    Attributes:
        calls: replies that the engine gave in this run.
        recovered: rows made from replies that an earlier run had paid for but not stored.
        withdrawn: wanted rows that were left out because their image was withdrawn.
        reasons: replies of this run without a result, by reason.
        prompt_tokens: tokens read by `calls`.
        completion_tokens: tokens written by `calls`.
        neutralised: control tokens in the texts of requests, made harmless before sending.
        answering: replies by the model that gave them, recovered ones included.
    """

    def __init__(
        self,
        store: Store,
        engine: ChatEngine,
        partition: Mapping[str, str],
        rows: Rows[W],
        micro_batch: int,
    ) -> None:
        """Set up without requests; `micro_batch` rows go into one commit of the table."""
        from rolesynth_assets.store.small.tables import SmallTables

        if micro_batch < 1:
            raise ValueError(f"micro_batch is {micro_batch}; it must be at least 1")
        self._store, self._engine, self._partition = store, engine, dict(partition)
        self._rows, self._micro_batch = rows, micro_batch
        self._tombstones = Withdrawn(SmallTables(store.root))
        self._place = _place(partition)
        self._open: dict[str, W] = {}
        self._pending: list[dict[str, object]] = []
        self._commits = 0
        self._commit: asyncio.Future[None] | None = None
        self.calls = self.recovered = self.withdrawn = 0
        self.reasons: dict[str, int] = {}
        self.prompt_tokens = self.completion_tokens = self.neutralised = 0
        self.answering = Answering(engine.identity.model)
        self._spared = Spared()

    async def make(self, missing: Sequence[W], total: int, progress: Progress | None) -> None:
        """Request every missing row and store the results.

        Args:
            missing: rows to make, those of an image one after another.
            total: number of rows that the partition should have.
            progress: called at the start and after every reply.

        Raises:
            RowRunError: the engine breaks its contract of one reply per request.
            EngineError: the engine can serve no request at all.
            JournalError: the journal cannot be written.
        """
        report = progress or (lambda done, total: None)
        self._open = {wanted.key: wanted for wanted in missing}
        with ReplyJournal(journal_path(self._store.root, self._rows.table)) as journal:
            self._recover(journal)
            report(total - len(self._open), total)
            if self._open or self._has_batches:
                async with spared(self._engine) as self._spared:
                    await self._ask(journal, list(self._open.values()), total, report)
        self._store.fold(self._rows.table)
        self.answering.warn(f"{self._rows.table} {' '.join(self._partition.values())}")

    @property
    def model(self) -> dict[str, object]:
        """What a page shows of the model: who answered, what is refused, what caches spared."""
        return {**self.answering.metadata(self._engine), **self._spared.metadata}

    def append(self, rows: pa.Table) -> None:
        """Store rows, except those of images that are withdrawn before or during the call.

        A withdrawal writes the tombstone first and then removes rows. So either this method sees
        the tombstone, or the withdrawal finds the rows.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        from rolesynth_assets.store.lance.rows import all_of, any_key, partition_predicate
        from rolesynth_assets.store.lance.schemas import table_spec

        table, gone = self._rows.table, list(self._tombstones)
        if gone:
            offered = rows.num_rows
            known = pc.SetLookupOptions(value_set=pa.array(gone, pa.string()))
            refused = pc.call_function("is_in", [rows["image_id"]], known)
            rows = rows.filter(pc.call_function("invert", [refused]))
            self.withdrawn += offered - rows.num_rows
        self._store.append(table, self._partition, rows)
        written = set(rows["image_id"].to_pylist())
        if late := [image for image in written if image in self._tombstones]:
            doomed = all_of(
                partition_predicate(table_spec(table), self._partition), any_key("image_id", late)
            )
            assert doomed is not None
            self.withdrawn += self._store.remove(table, doomed)

    def _recover(self, journal: ReplyJournal) -> None:
        """Store rows of replies that an earlier run paid for; drop replies no longer wanted."""
        found = list(journal.begin_with(self._place))
        for key, reply in found:
            wanted = self._open.get(key.partition("/")[2])
            if wanted is None:
                continue
            if wanted.image_id in self._tombstones:
                self._leave_out(wanted)
                continue
            del self._open[wanted.key]
            self.answering.note(reply)
            self._pending.append(self._rows.row(wanted, reply))
            self.recovered += 1
        self._store_pending(journal)
        journal.drop([key for key, _ in found])

    async def _ask(
        self, journal: ReplyJournal, missing: Sequence[W], total: int, report: Progress
    ) -> None:
        replies = self._replies(journal, missing)
        try:
            async for reply in replies:
                self._accept(reply, journal)
                report(total - len(self._open), total)
        except BatchesOpenError:
            note_unanswered(self._open)
            raise
        finally:
            try:
                self._store_pending(journal)  # paid replies are kept, whatever happened
            finally:
                if isinstance(replies, AsyncGenerator):
                    await replies.aclose()  # calls in flight end now, not when it is collected
        if self._open:
            raise RowRunError(
                f"{self._rows.table} {self._partition}: engine {self._engine.identity.engine!r} "
                f"left {len(self._open)} of {len(missing)} requests without a reply, such as "
                f"{next(iter(self._open))}. The others are stored; run this again"
            )

    @property
    def _has_batches(self) -> bool:
        """Whether batches of the partition are to be closed although no row is missing."""
        takes = as_batch_engine(self._engine) is not None
        return takes and has_batches(self._store.root, self._rows.table, self._place)

    def _replies(self, journal: ReplyJournal, missing: Sequence[W]) -> AsyncIterator[ChatReply]:
        """Return the engine's replies: at once, or through batches."""
        root, table, keys = self._store.root, self._rows.table, [one.key for one in missing]
        if engine := as_batch_engine(self._engine):
            by_key = {one.key: one for one in missing}
            work = BatchWork(
                *(root, table, self._place, self._partition, keys),
                requests=lambda some: self._requests([by_key[key] for key in some]),
                bare=lambda key: self._rows.request(by_key[key], b""),
                keep=journal.flush,
            )
            return engine.through_batches(work)
        refuse_submitted(root, table, self._place, keys)
        return self._engine.complete(self._requests(missing))

    def _requests(self, missing: Sequence[W]) -> Iterator[ChatRequest]:
        """Yield requests image by image.

        `IMAGES_AT_ONCE` images are read at a time, by a thread, while the ones before are sent.
        """
        from rolesynth_assets.store.lance.image_rows import ImageRows

        by_image = [list(group) for _, group in groupby(missing, key=lambda one: one.image_id)]
        images = ImageRows(
            self._store, [group[0].image_id for group in by_image], self._partition["shard"]
        )
        starts = range(0, len(by_image), IMAGES_AT_ONCE)
        chunks = [by_image[start : start + IMAGES_AT_ONCE] for start in starts]
        reader = ThreadPoolExecutor(1, "images")
        try:
            ahead = self._read_ahead(reader, images, chunks[0])
            for number, chunk in enumerate(chunks):
                data = self._read(images, chunk, ahead)
                if number + 1 < len(chunks):
                    ahead = self._read_ahead(reader, images, chunks[number + 1])
                for wanted in (one for group in chunk for one in group):
                    if wanted.image_id in self._tombstones:
                        self._leave_out(wanted)
                    else:
                        request = self._rows.request(wanted, data[wanted.image_id])
                        yield replace(request, wanted=partial(self._is_wanted, wanted.image_id))
        finally:
            reader.shutdown(wait=False, cancel_futures=True)

    def _is_wanted(self, image_id: str) -> bool:
        return image_id not in self._tombstones

    def _not_withdrawn(self, chunk: Sequence[Sequence[W]]) -> list[str]:
        ids = (group[0].image_id for group in chunk)
        return [image for image in ids if image not in self._tombstones]

    def _read_ahead(
        self, reader: Executor, images: ImageRows, chunk: Sequence[Sequence[W]]
    ) -> Future[dict[str, bytes]]:
        return reader.submit(images.read, self._not_withdrawn(chunk))

    def _read(
        self, images: ImageRows, chunk: Sequence[Sequence[W]], ahead: Future[dict[str, bytes]]
    ) -> dict[str, bytes]:
        """Return the bytes of a chunk's images that were not withdrawn."""
        try:
            return ahead.result()
        except MissingRowError:
            pass
        left = self._not_withdrawn(chunk)
        try:
            return images.read(left)
        except MissingRowError:
            if len(self._not_withdrawn(chunk)) == len(left):
                raise
            return self._read(images, chunk, ahead)  # it was withdrawn after that was looked at

    def _accept(self, reply: ChatReply, journal: ReplyJournal) -> None:
        wanted = self._open.pop(reply.key, None)
        if wanted is None:
            raise RowRunError(
                f"{self._rows.table} {self._partition}: engine "
                f"{self._engine.identity.engine!r} replied to {reply.key!r}, which was not asked "
                "for or was answered before"
            )
        self.calls += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.neutralised += reply.neutralised
        if wanted.image_id in self._tombstones:  # before the reply is written anywhere
            self._leave_out(wanted)
            return
        self.answering.note(reply)
        self._record(journal, wanted, reply)
        row = self._rows.row(wanted, reply)
        self._pending.append(row)
        if row["reason"] is not None:
            reason = str(row["reason"])
            self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if len(self._pending) >= self._micro_batch:
            self._store_pending(journal)

    def _record(self, journal: ReplyJournal, wanted: W, reply: ChatReply) -> None:
        """Record a reply; it is durable before the engine sends the next request."""
        if self._commit is not None and self._commit.done():
            self._commit.result()  # raises if the commit failed
        key = f"{self._place}/{reply.key}"
        self._commit = journal.record(key, reply, [wanted.image_id]) or self._commit

    def _leave_out(self, wanted: W) -> None:
        self._open.pop(wanted.key, None)
        self.withdrawn += 1

    def _store_pending(self, journal: ReplyJournal) -> None:
        if not self._pending:
            return
        import pyarrow as pa

        from rolesynth_assets.store.lance.schemas import table_spec

        spec = table_spec(self._rows.table)
        stored, self._pending = self._pending, []
        try:
            journal.flush()
        finally:  # the table may have room on its disk even if the journal has none
            self.append(pa.Table.from_pylist(stored, schema=spec.schema))
        journal.drop([f"{self._place}/{row[spec.key]}" for row in stored])
        self._commits += 1
        if self._commits % FOLD_FILES == 0:
            self._store.fold(self._rows.table)
