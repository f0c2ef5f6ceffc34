"""The journal of paid replies: on disk when they arrive, before anybody uses them.

A run that is killed and begun again asks the journal first: what is in it has been paid for and is
not asked twice. Captions and scores are in it until their rows are in the store; CADS keeps its
replies, since a round that is made again reads all of them.
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
_DELETE = "DELETE FROM replies WHERE key = ?"
_SHOWN_WITHOUT_REPLY = "DELETE FROM shown WHERE key NOT IN (SELECT key FROM replies)"


class JournalError(RuntimeError):
    """The journal file cannot be used; the message says why and the way out."""


def journal_path(data_root: str | Path, stage: str) -> Path:
    """Return where the journal of a stage is: `captions`, `scores` or `cads`.

    Raises:
        JournalError: the data root is a URL; a journal is a local file.
    """
    if "://" in str(data_root):
        raise JournalError(
            f"The journal of paid replies is a local file, and the data root {data_root} is a URL. "
            "Set ROLESYNTH_DATA to a folder."
        )
    return DataPaths(data_root).journals / f"{stage}.sqlite"


def journal_paths(data_root: Path) -> list[Path]:
    """Return the journals of all stages that there are, sorted."""
    return sorted(DataPaths(data_root).journals.glob("*.sqlite"))


def request_key(model: str, request: ChatRequest) -> str:
    """Identify a request by everything that the answer depends on; its own key is no part of it.

    Args:
        model: `ModelIdentity.fingerprint()` of the model that is asked.
        request: what it is asked.
    """
    return digest(
        *("request", model, request.system, request.prompt),
        *("history", len(request.history), *(part for t in request.history for part in _turn(t))),
        *("images", *(sha256(image).hexdigest() for image in request.images)),
        *("sampling", request.sampling.fingerprint(), request.seed, int(request.json_mode)),
    )


class ReplyJournal:
    """Replies by key, in one SQLite file; several processes may share it.

    Whatever is recorded at one moment shares a commit. A second reply under a key changes nothing:
    what has been used once stays what it was.
    """

    tables: ClassVar[str] = _TABLES

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, making it and its folder if need be.

        Raises:
            JournalError: the file is no journal or cannot be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._database.execute("PRAGMA journal_mode=WAL")
            # with NORMAL a power cut could take back what has been paid for and used
            self._database.execute("PRAGMA synchronous=FULL")
            self._database.executescript(self.tables)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"The journal {path} cannot be opened ({error}). Make its folder writable; if the "
                "file is damaged, move it away: what it holds would then be asked and paid again."
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
        """Return the reply recorded under `key`."""
        row = self._database.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else _reply(row[0])

    def begin_with(self, prefix: str) -> Iterator[tuple[str, ChatReply]]:
        """Yield the replies whose key begins with `prefix` and a slash: key and reply."""
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
        """Record a reply, unless it failed for a reason that may be gone the next time.

        It is written before the event loop does anything else, together with whatever else is
        recorded until then.

        Args:
            key: the request's.
            reply: what was answered.
            shown: ids of the request's images; the reply is forgotten with any of them.

        Returns:
            Done when the reply is durable, or failed with a `JournalError`; None where there is
            nothing to record.
        """
        if reply.reason is not None and reply.reason.transient:
            return None
        return self._write(
            ("replies", (key, json.dumps(vars(reply)))),
            *(("shown", (image, key)) for image in set(shown)),
        )

    def flush(self) -> None:
        """Write at once what is recorded; for the end of a run, which may have no loop any more.

        Raises:
            JournalError: it cannot be written.
        """
        if self._commit is not None:
            commit = self._commit
            self._commit_all()
            if error := commit.exception():
                raise error

    def drop(self, keys: Collection[str]) -> None:
        """Remove replies, since their rows are in the store.

        Raises:
            JournalError: the file cannot be written.
        """
        if keys:
            doomed = [(key,) for key in keys]
            self._transaction({_DELETE: doomed, _SHOWN_WITHOUT_REPLY: [()]})

    def forget_replies(self, image_ids: Collection[str]) -> int:
        """Remove replies to requests that showed one of some images, off the disk too.

        Args:
            image_ids: sha256 of the encoded bytes.

        Returns:
            How many.
        """
        asked = "SELECT key FROM shown WHERE image_id = ?"
        doomed = {key for i in image_ids for (key,) in self._database.execute(asked, (i,))}
        self.drop(doomed)
        # what was removed once its row was stored is still in free pages
        self._database.execute("VACUUM")
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return len(doomed)

    def _write(self, *rows: tuple[str, tuple[object, ...]]) -> asyncio.Future[None]:
        if self._commit is None:
            loop = asyncio.get_running_loop()
            self._commit = loop.create_future()
            loop.call_soon(self._commit_all)  # and what others write until then
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
            commit.exception()  # whoever asks gets it; nobody may be left to ask
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
                "then run again: what is in it is not asked again."
            ) from error


def _reply(text: str) -> ChatReply:
    fields = json.loads(text)
    reason = fields.pop("reason")
    return ChatReply(**fields, reason=FailureReason(reason) if reason else None)


def _turn(turn: Turn) -> tuple[str, str]:
    return turn.speaker, turn.text
