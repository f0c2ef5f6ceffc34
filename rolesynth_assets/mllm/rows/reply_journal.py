"""The journal of paid replies, which are written to disk when they arrive and before their use.

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
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Turn
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


class JournalError(RuntimeError):
    """The journal file cannot be used; the message gives the cause and the way out."""


def journal_path(data_root: DataPath | str, stage: str) -> Path:
    """Return the path of the journal of a stage: `captions`, `scores` or `cads`.

    Raises:
        JournalError: the data root is a URL; a journal is a local file.
    """
    if "://" in str(data_root):
        raise JournalError(
            f"The journal of paid replies is a local file, and the data root {data_root} is a URL. "
            "Set ROLESYNTH_DATA to a folder."
        )
    return DataPaths(data_root).journals / f"{stage}.sqlite"


def journal_paths(data_root: DataPath) -> list[Path]:
    """Return the journals of all stages that there are, sorted."""
    return sorted(DataPaths(data_root).journals.glob("*.sqlite"))


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
    """Replies by key, in one SQLite file; several processes may share it.

    Replies that are recorded at the same moment share a commit. A second reply under a key is
    ignored, so that a reply that has been used never changes.
    """

    tables: ClassVar[str] = _TABLES

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`; the file and its folder are made if they are missing.

        Raises:
            JournalError: the file is not a journal or cannot be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            # with NORMAL, a power cut could lose replies that have been paid for and used
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(self.tables)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"The journal {path} cannot be opened ({error}). Make its folder writable; if the "
                "file is damaged, move it away: its requests would then be sent and paid again."
            ) from error

        self._written: dict[str, list[tuple[object, ...]]] = {}
        self._commit: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; safe to call twice."""
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
        recorded until then.

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
            if error := commit.exception():
                raise error

    def drop(self, keys: Collection[str]) -> None:
        """Remove replies whose rows are in the store.

        Raises:
            JournalError: the file cannot be written.
        """
        if keys:
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
        count = self.failed(reasons)
        marks = ", ".join("?" * len(reasons))
        doomed = f"DELETE FROM replies WHERE {_REASON} IN ({marks})"
        self._transaction({doomed: [tuple(reasons)], _SHOWN_WITHOUT_REPLY: [()]})
        return count

    def forget_replies(self, image_ids: Collection[str]) -> int:
        """Remove replies to requests about one of the given images, also from the disk.

        Args:
            image_ids: sha256 of the encoded bytes.

        Returns:
            The number of removed replies.
        """
        asked = "SELECT key FROM shown WHERE image_id = ?"
        doomed = {key for i in image_ids for (key,) in self._database.execute(asked, (i,))}
        self.drop(doomed)
        # replies that were removed after their rows were stored are still in free pages
        self._database.execute("VACUUM")
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(doomed)

    def _write(self, *rows: tuple[str, tuple[object, ...]]) -> asyncio.Future[None]:
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._commit_all)  # with all rows written until then
        for table, values in rows:
            marks = ", ".join("?" * len(values))
            statement = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"
            self._written.setdefault(statement, []).append(values)
        return self._commit

    def _commit_all(self) -> None:
        commit, self._commit = self._commit, None
        written, self._written = self._written, {}
        if commit is None:  # flushed in the meantime
            return
        try:
            self._transaction(written)
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
            raise JournalError(
                f"The journal {self.path} cannot be written ({error}). Make room on its disk, "
                "then run again: requests with a reply in it are not sent again."
            ) from error


def _reply(text: str) -> ChatReply:
    fields = json.loads(text)
    reason = fields.pop("reason")
    return ChatReply(**fields, reason=FailureReason(reason) if reason else None)


def _turn(turn: Turn) -> tuple[str, str]:
    return turn.speaker, turn.text
