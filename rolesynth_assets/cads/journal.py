"""The journal: every paid reply and drawing, on disk before anybody uses it.

A round that is killed and run again, or run again for any other reason, asks the journal first.
What is written there has been paid for and is not asked twice.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from rolesynth_assets.cads.rendering import Drawing
from rolesynth_assets.mllm.engine import ChatReply, ChatRequest, FailureReason, Turn
from rolesynth_assets.store.digests import digest

BUSY_S = 60.0
"""Seconds to wait while another process writes; a write takes about a millisecond."""

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (
    image_id TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (image_id, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS drawings (
    key TEXT PRIMARY KEY, renderer TEXT NOT NULL, media_type TEXT NOT NULL, image BLOB NOT NULL
);
"""


class Forgotten(NamedTuple):
    """How many drawings and replies were removed from a journal."""

    drawings: int
    replies: int


class JournalError(RuntimeError):
    """The journal file cannot be used; the message says why and the way out."""


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


def drawing_key(renderer: str, visual_prompt: str, seed: int) -> str:
    """Identify a drawing by who draws it, from which instruction and with which seed."""
    return digest("drawing", renderer, visual_prompt, seed)


class Journal:
    """Replies and drawings by key, in one SQLite file; several processes may share it.

    A `put` returns when it is durable; those of one moment share a commit. A second one under a
    key changes nothing: what has been used once stays what it was.
    """

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
            self._database.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"The journal {path} cannot be opened ({error}). Make its folder writable; if the "
                "file is damaged, move it away: what it holds would then be asked and paid again."
            ) from error

        self._written: list[tuple[str, tuple[object, ...]]] = []
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
        if row is None:
            return None
        fields = json.loads(row[0])
        reason = fields.pop("reason")
        return ChatReply(**fields, reason=FailureReason(reason) if reason else None)

    async def put(self, key: str, reply: ChatReply, shown: Sequence[bytes] = ()) -> None:
        """Record a reply, unless it failed for a reason that may be gone the next time.

        Args:
            key: the request's.
            reply: what was answered.
            shown: images of the request; the reply is forgotten with any of them.

        Raises:
            JournalError: it cannot be written.
        """
        if reply.reason is not None and reply.reason.transient:
            return
        images = {sha256(image).hexdigest() for image in shown}
        await self._write(
            ("replies", (key, json.dumps(asdict(reply)))),
            *(("shown", (image, key)) for image in images),
        )

    def get_drawing(self, key: str) -> Drawing | None:
        """Return the drawing recorded under `key`."""
        row = self._database.execute(
            "SELECT image, media_type, renderer FROM drawings WHERE key = ?", (key,)
        ).fetchone()
        return None if row is None else Drawing(*row)

    async def put_drawing(self, key: str, drawing: Drawing) -> None:
        """Record a drawing.

        Raises:
            JournalError: it cannot be written.
        """
        row = (key, drawing.renderer, drawing.media_type, drawing.image)
        await self._write(("drawings", row))

    async def _write(self, *rows: tuple[str, tuple[object, ...]]) -> None:
        loop = asyncio.get_running_loop()
        if self._commit is None:
            self._commit = loop.create_future()
            loop.call_soon(self._commit_all)  # and what others write until then
        for table, values in rows:
            marks = ", ".join("?" * len(values))
            self._written.append((f"INSERT OR IGNORE INTO {table} VALUES ({marks})", values))
        await asyncio.shield(self._commit)

    def _commit_all(self) -> None:
        commit, self._commit = self._commit, None
        written, self._written = self._written, []
        assert commit is not None
        try:
            self._database.execute("BEGIN IMMEDIATE")
            for statement, values in written:
                self._database.execute(statement, values)
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            commit.set_exception(
                JournalError(
                    f"The journal {self.path} cannot be written ({error}). Make room on its disk, "
                    "then run again: what is in it is not asked again."
                )
            )
        else:
            commit.set_result(None)

    def forget_images(self, image_ids: Collection[str]) -> Forgotten:
        """Remove images, and replies to requests that showed one, off the disk too.

        Args:
            image_ids: sha256 of the encoded bytes, as drawn or as shown.
        """
        drawings = [
            (key,)
            for key, image in self._database.execute("SELECT key, image FROM drawings")
            if sha256(image).hexdigest() in image_ids
        ]
        asked = "SELECT key FROM shown WHERE image_id = ?"
        replies = {row for i in image_ids for row in self._database.execute(asked, (i,))}
        if drawings or replies:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("DELETE FROM drawings WHERE key = ?", drawings)
            for table in ("replies", "shown"):
                self._database.executemany(f"DELETE FROM {table} WHERE key = ?", replies)
            self._database.execute("COMMIT")
            self._database.execute("VACUUM")
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Forgotten(len(drawings), len(replies))


def _turn(turn: Turn) -> tuple[str, str]:
    return turn.speaker, turn.text
