"""The journal of paid replies, which become durable when they arrive and before their use.

In a data root on disk it is an SQLite file. In a bucket it is a prefix of segments, see
`rolesynth_assets.mllm.rows.journal_segments`, which are read into a temporary file of this machine.

A run that continues a killed one reads the journal first: a reply in it has been paid for and is
not requested again. Replies of captions and scores are kept until their rows are in the store; CADS
keeps its replies, since a round that is made again reads all of them.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import ClassVar, Self

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Turn
from rolesynth_assets.mllm.rows.journal_segments import Row
from rolesynth_assets.mllm.rows.journal_uploads import (
    JournalError,
    Uploads,
    cannot_be_written,
    inserts,
)
from rolesynth_assets.store.digests import digest

BUSY_S = 60.0
"""Seconds to wait while another process writes; a write takes about a millisecond."""

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (
    image_id TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (image_id, key)
) WITHOUT ROWID;
"""
_REASON = "json_extract(reply, '$.reason')"
_DELETE = "DELETE FROM replies WHERE key = ?"
_SHOWN_WITHOUT_REPLY = "DELETE FROM shown WHERE key NOT IN (SELECT key FROM replies)"


def journal_path(data_root: DataPath | str, stage: str) -> DataPath:
    """Return the journal of a stage, `captions`, `scores` or `cads`: a file, or a prefix."""
    folder = DataPaths(data_root).journals
    return folder / (stage if isinstance(folder, ObjectPath) else f"{stage}.sqlite")


def journal_paths(data_root: DataPath) -> list[DataPath]:
    """Return the journals of all stages that there are, sorted."""
    folder = DataPaths(data_root).journals
    if isinstance(folder, ObjectPath):
        return [folder / name for name in sorted({o.parent.name for o in folder.objects()})]
    return sorted(folder.glob("*.sqlite"))


def request_key(model: str, request: ChatRequest) -> str:
    """Return the identity of a request: everything that the answer depends on, without its key.

    Args:
        model: `ModelIdentity.fingerprint()` of the model that is asked.
        request: the request.
    """
    return digest(
        "request",
        model,
        request.system,
        request.prompt,
        "history",
        len(request.history),
        *(part for t in request.history for part in _turn(t)),
        "images",
        *(sha256(image).hexdigest() for image in request.images),
        "sampling",
        request.sampling.fingerprint(),
        request.seed,
        int(request.json_mode),
    )


class ReplyJournal:
    """Replies by key; several processes may share one SQLite file, or one prefix of a bucket.

    Replies that are recorded at the same moment share a commit; in a bucket, those of `FLUSH_S`
    share a segment. A second reply under a key is ignored, so that a reply that has been used never
    changes.
    """

    tables: ClassVar[str] = _TABLES

    def __init__(self, path: DataPath) -> None:
        """Open the journal at `path`; the file and its folder are made if they are missing.

        Raises:
            JournalError: the file is not a journal or cannot be written.
        """
        self.path = path
        self._uploads = Uploads(path) if isinstance(path, ObjectPath) else None
        try:
            self._database = self._opened(path)
        except (OSError, ValueError, sqlite3.Error) as error:
            raise JournalError(
                f"The journal {path} cannot be opened ({error}). Make its place writable; if the "
                "file is damaged, move it away: its requests would then be sent and paid again."
            ) from error

        self._written: list[Row] = []
        self._commit: asyncio.Future[None] | None = None

    def _opened(self, path: DataPath) -> sqlite3.Connection:
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            path if isinstance(path, Path) else "",  # a temporary file, deleted by SQLite itself
            timeout=BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )
        if self._uploads is None:
            database.execute("PRAGMA journal_mode=WAL")
            # with NORMAL, a power cut could lose replies that have been paid for and used
            database.execute("PRAGMA synchronous=FULL")
        database.executescript(self.tables)
        if self._uploads is not None:
            self._uploads.load(database)
        return database

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._uploads is not None:
            self._uploads.close()
        self._database.close()

    def get(self, key: str) -> ChatReply | None:
        """Return the reply recorded under `key`, or None."""
        row = self._database.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else _reply(row[0])

    def begin_with(self, prefix: str) -> Iterator[tuple[str, ChatReply]]:
        """Yield (key, reply) for all replies whose key begins with `prefix` and a slash."""
        between = (f"{prefix}/", f"{prefix}0")  # the character after the slash
        query = "SELECT key, reply FROM replies WHERE key >= ? AND key < ?"
        for key, text in self._database.execute(query, between).fetchall():
            yield key, _reply(text)

    def replies(self) -> Iterator[tuple[str, ChatReply]]:
        """Yield (key, reply) for all replies."""
        for key, text in self._database.execute("SELECT key, reply FROM replies"):
            yield key, _reply(text)

    async def put(self, key: str, reply: ChatReply, shown: Iterable[str] = ()) -> None:
        """Record a reply and wait until it is durable; see `record`.

        Raises:
            JournalError: it cannot be written.
        """
        if commit := self.record(key, reply, shown):
            await asyncio.shield(commit)

    def record(
        self, key: str, reply: ChatReply, shown: Iterable[str] = ()
    ) -> asyncio.Future[None] | None:
        """Record a reply, unless it failed for a transient reason.

        It is written in the next turn of the event loop, together with all replies that are
        recorded until then; to a bucket, `FLUSH_S` after the last time.

        Args:
            key: key of the request.
            reply: the reply.
            shown: ids of images that the request shows or is about; the reply is removed with any
                of them.

        Returns:
            A future that is done when the reply is durable, or fails with a `JournalError`; None
            if there is nothing to record.
        """
        if reply.reason is not None and reply.reason.transient:
            return None
        return self._write(
            ("replies", (key, json.dumps(vars(reply)))),
            *(("shown", (image, key)) for image in set(shown)),
        )

    async def tie(self, key: str, shown: Collection[str]) -> None:
        """Record that a reply in the journal is about some images; see `record`.

        Raises:
            JournalError: it cannot be written.
        """
        if shown:
            await asyncio.shield(self._write(*(("shown", (image, key)) for image in set(shown))))

    def flush(self) -> None:
        """Write recorded replies at once, for the end of a run, when the event loop may be closed.

        Raises:
            JournalError: it cannot be written.
        """
        if self._commit is not None:
            commit = self._commit
            self._commit_all()
            if self._uploads is None and (error := commit.exception()):
                raise error
        if self._uploads is not None and (error := self._uploads.wait()):
            raise error

    def drop(self, keys: Collection[str]) -> None:
        """Remove replies whose rows are in the store.

        Raises:
            JournalError: the file cannot be written.
        """
        if keys:
            self._take_out(keys)
            doomed = [(key,) for key in keys]
            self._transaction({_DELETE: doomed, _SHOWN_WITHOUT_REPLY: [()]})

    def failed(self, reasons: Collection[str]) -> int:
        """Return the number of replies that failed for one of some reasons."""
        marks = ", ".join("?" * len(reasons))
        query = f"SELECT count(*) FROM replies WHERE {_REASON} IN ({marks})"
        return self._database.execute(query, tuple(reasons)).fetchone()[0]

    def forget_failed(self, reasons: Collection[str]) -> int:
        """Remove replies that failed for one of some reasons, so that they are asked for again.

        Returns:
            The number of removed replies.

        Raises:
            JournalError: the file cannot be written.
        """
        marks = ", ".join("?" * len(reasons))
        query = f"SELECT key FROM replies WHERE {_REASON} IN ({marks})"
        doomed = [key for (key,) in self._database.execute(query, tuple(reasons))]
        self.drop(doomed)
        return len(doomed)

    def forget_replies(self, image_ids: Collection[str]) -> int:
        """Remove replies to requests about one of the given images, also from disk or bucket.

        Args:
            image_ids: sha256 of the encoded bytes.

        Returns:
            The number of removed replies.
        """
        asked = "SELECT key FROM shown WHERE image_id = ?"
        doomed = {key for i in image_ids for (key,) in self._database.execute(asked, (i,))}
        self.drop(doomed)
        if self._uploads is None:
            # replies that were removed after their rows were stored are still in free pages
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(doomed)

    def _write(self, *rows: Row) -> asyncio.Future[None]:
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            if self._uploads is None:
                loop.call_soon(self._commit_all)  # with all rows written until then
            else:
                loop.call_later(self._uploads.pause_s, self._commit_all)
        self._written += rows
        return self._commit

    def _take_out(self, keys: Collection[str]) -> None:
        """Take the rows of some keys out of a bucket."""
        if self._uploads is not None:
            self.flush()
            self._uploads.take_out(keys)

    def _commit_all(self) -> None:
        commit, self._commit = self._commit, None
        written, self._written = self._written, []
        if commit is None:  # flushed in the meantime
            return
        if self._uploads is not None:
            self._uploads.begin(written, commit)
            return
        try:
            self._transaction(inserts(written))
        except JournalError as error:
            commit.set_exception(error)
            commit.exception()  # marks it as retrieved, because no caller may wait for it
        else:
            commit.set_result(None)

    def _transaction(self, statements: Mapping[str, Sequence[tuple[object, ...]]]) -> None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for statement, rows in statements.items():
                self._database.executemany(statement, rows)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise cannot_be_written(self.path, error) from error


def _reply(text: str) -> ChatReply:
    fields = json.loads(text)
    reason = fields.pop("reason")
    return ChatReply(**fields, reason=FailureReason(reason) if reason else None)


def _turn(turn: Turn) -> tuple[str, str]:
    return turn.speaker, turn.text
