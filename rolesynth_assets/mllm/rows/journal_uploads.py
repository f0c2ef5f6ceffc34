"""How a journal in a bucket is written: segments that are uploaded while the event loop goes on."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.files.object_store import StorageError
from rolesynth_assets.mllm.rows.journal_segments import KEY_AT, Row, Segments, key_of

FLUSH_S = 0.2
"""Least time between two segments: a kill repeats the requests that were answered in it."""
MERGED = 256
"""Segments of one writer that become one; they are a minute's, and 256 requests to read."""
THREADS = 4

_PLACED = """
CREATE TABLE placed (key TEXT, segment TEXT, PRIMARY KEY (key, segment)) WITHOUT ROWID;
CREATE INDEX placed_in ON placed (segment);
"""


class JournalError(RuntimeError):
    """The journal cannot be used; the message gives the cause and the way out."""


def cannot_be_written(place: DataPath, error: Exception) -> JournalError:
    """Return the error of a write that failed."""
    way_out = "" if isinstance(place, ObjectPath) else " Make room on its disk, then run again:"
    return JournalError(
        f"The journal {place} cannot be written ({error}).{way_out} Requests with a reply in it "
        "are not sent again."
    )


def inserts(rows: Iterable[Row]) -> dict[str, list[tuple[object, ...]]]:
    """Return the statements that insert rows, each with its values."""
    statements: dict[str, list[tuple[object, ...]]] = {}
    for table, values in rows:
        marks = ", ".join("?" * len(values))
        statement = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"
        statements.setdefault(statement, []).append(values)
    return statements


class Uploads:
    """The segments of a journal, and a database of this process with their rows.

    Methods are called in the thread of the event loop.

    Args:
        place: the prefix of the segments.
    """

    def __init__(self, place: ObjectPath) -> None:
        self._place, self._segments = place, Segments(place)
        self._pool = ThreadPoolExecutor(THREADS, "journal")
        self._running: dict[Future[None], tuple[str, list[Row], asyncio.Future[None]]] = {}
        self._own: list[str] = []  # those of this writer that are not merged yet
        self._begun = 0.0
        self._database: sqlite3.Connection

    @property
    def pause_s(self) -> float:
        """Seconds until the next segment may begin."""
        return max(0.0, self._begun + FLUSH_S - time.monotonic())

    def load(self, database: sqlite3.Connection) -> None:
        """Read all segments into a database.

        Raises:
            StorageError: the bucket cannot be read.
            ValueError: an object there is no segment.
        """
        self._database = database
        database.executescript(_PLACED)
        for name, rows in self._segments.read():
            self._take_in(name, rows)

    def begin(self, rows: list[Row], commit: asyncio.Future[None]) -> None:
        """Upload rows as a segment; `commit` is done when they are durable."""
        self._begun = time.monotonic()
        name = self._segments.name()
        upload = self._pool.submit(self._segments.write, name, rows)
        self._running[upload] = (name, rows, commit)
        loop = commit.get_loop()

        def tell(done: Future[None]) -> None:
            with suppress(RuntimeError):  # the loop is closed: `wait` looks at it
                loop.call_soon_threadsafe(self._ended, done)

        upload.add_done_callback(tell)

    def wait(self) -> JournalError | None:
        """Wait until everything that was begun is durable; return the error if something is not."""
        failed = None
        while self._running:
            wait(self._running)
            for upload in list(self._running):
                failed = self._ended(upload) or failed
        return failed

    def take_out(self, keys: Collection[str]) -> None:
        """Take the rows of some keys out of the bucket.

        Raises:
            JournalError: it cannot be written.
        """
        doomed: dict[str, set[str]] = {}
        for key in keys:
            found = self._database.execute("SELECT segment FROM placed WHERE key = ?", (key,))
            for (segment,) in found:
                doomed.setdefault(segment, set()).add(key)
        count = "SELECT count(*) FROM placed WHERE segment = ?"
        whole = [
            segment
            for segment, some in doomed.items()
            if self._database.execute(count, (segment,)).fetchone()[0] == len(some)
        ]
        try:
            for segment in doomed.keys() - set(whole):
                self._segments.without(segment, doomed[segment])
            self._segments.remove(whole)
        except (StorageError, ValueError) as error:
            raise cannot_be_written(self._place, error) from error
        self._database.executemany("DELETE FROM placed WHERE key = ?", [(key,) for key in keys])
        self._own = [name for name in self._own if name not in whole]

    def close(self) -> None:
        """Leave the bucket with few segments; safe to call twice."""
        self._pool.shutdown()
        if len(self._own) > 1:
            with suppress(StorageError):  # many segments are only slower to read
                self._merge()

    def _ended(self, upload: Future[None]) -> JournalError | None:
        name, rows, commit = self._running.pop(upload, (None, [], None))
        if name is None or commit is None:  # `wait` was faster
            return None
        if (error := upload.exception()) is not None:
            failed = cannot_be_written(self._place, Exception(str(error)))
            if not commit.done():
                commit.set_exception(failed)
                commit.exception()  # marks it as retrieved, because no caller may wait for it
            return failed
        self._take_in(name, rows)
        self._own.append(name)
        if len(self._own) >= MERGED:
            with suppress(StorageError):
                self._merge()
        if not commit.done():
            commit.set_result(None)
        return None

    def _take_in(self, name: str, rows: list[Row]) -> None:
        self._database.execute("BEGIN")
        for statement, values in inserts(rows).items():
            self._database.executemany(statement, values)
        placed = [(key, name) for key in {key_of(row) for row in rows}]
        self._database.executemany("INSERT OR IGNORE INTO placed VALUES (?, ?)", placed)
        self._database.execute("COMMIT")

    def _merge(self) -> None:
        """Make one segment of all that this writer has written since it last did so."""
        old, self._own = self._own, []
        marks = ", ".join("?" * len(old))
        chosen = f"SELECT key FROM placed WHERE segment IN ({marks})"
        name = f"{old[0].partition('-')[0]}-{self._segments.name().partition('-')[2]}"
        self._segments.write(name, self._rows_of(chosen, old))
        self._segments.remove(old)
        self._database.execute(
            f"INSERT OR IGNORE INTO placed SELECT key, ? FROM placed WHERE segment IN ({marks})",
            (name, *old),
        )
        self._database.execute(f"DELETE FROM placed WHERE segment IN ({marks})", old)

    def _rows_of(self, chosen: str, old: list[str]) -> Iterable[Row]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
        there = {name for (name,) in self._database.execute(query)}
        for table in KEY_AT.keys() & there:
            rows = self._database.execute(f"SELECT * FROM {table} WHERE key IN ({chosen})", old)
            yield from ((table, values) for values in rows)
