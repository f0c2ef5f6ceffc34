"""The ledger of batches: what was submitted to a Batch API, on disk before it counts.

A batch is noted before each step that a kill could interrupt, so that a later run goes on from
there: it finds the uploaded file, or the batch that was made of it, and submits nothing twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Self

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.mllm.engine import Learned
from rolesynth_assets.mllm.rows.journal_uploads import JournalError
from rolesynth_assets.mllm.rows.reply_journal import BUSY_S

TABLES = ("captions", "scores")
"""Tables whose rows may be asked for in batches; each has a ledger."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, place TEXT NOT NULL, partition TEXT NOT NULL, base_url TEXT NOT NULL,
    model TEXT NOT NULL, learned TEXT NOT NULL, made_at TEXT NOT NULL, state TEXT NOT NULL,
    file_id TEXT NOT NULL DEFAULT '', batch_id TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS requests (
    name TEXT NOT NULL, key TEXT NOT NULL, PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unsent (place TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
_COLUMNS = (
    "name, place, partition, base_url, model, learned, made_at, state, file_id, batch_id, status, "
    "done, failed, total"
)


class State(StrEnum):
    """How far the submission of a batch has come."""

    BUILDING = "building"
    """Its file is being written on this machine."""
    UPLOADING = "uploading"
    """Its file is being sent; the server may have it."""
    UPLOADED = "uploaded"
    """The server has its file, and no batch of it."""
    CREATING = "creating"
    """The server was asked for the batch, and may have made it."""
    SUBMITTED = "submitted"
    """The server has the batch."""


@dataclass(frozen=True)
class Batch:
    """One batch of requests for the rows of one partition.

    Attributes:
        name: our own name of it, also of its file.
        place: the partition, as the journal of replies names it.
        partition: the partition in words.
        base_url: the server.
        model: the model that is asked.
        learned: what the server was known to refuse when the requests were written.
        made_at: time at which it was begun, ISO 8601, UTC.
        state: how far it has come.
        file_id: the server's id of the file of requests; empty before the upload.
        batch_id: the server's id of the batch; empty before it is submitted.
        status: the server's word for its state, when it was asked last.
        done: requests that were answered then.
        failed: requests that had failed then.
        total: requests of it.
    """

    name: str
    place: str
    partition: Mapping[str, str]
    base_url: str
    model: str
    learned: Learned
    made_at: str
    state: State
    file_id: str = ""
    batch_id: str = ""
    status: str = ""
    done: int = 0
    failed: int = 0
    total: int = 0

    @property
    def shown_id(self) -> str:
        """The server's id, or our name before there is one."""
        return self.batch_id or self.name

    @property
    def in_words(self) -> str:
        """One line: id, state, counts, since when, partition."""
        since = datetime.fromisoformat(self.made_at).astimezone()
        failed = f", {self.failed:,} failed" if self.failed else ""
        return (
            f"{self.shown_id} {self.status or self.state}, {self.done:,} of {self.total:,} "
            f"answered{failed}, since {since:%Y-%m-%d %H:%M}, {' '.join(self.partition.values())}"
        )


def ledger_path(data_root: DataPath | str, table: str) -> Path:
    """Return the file of a table's ledger.

    Raises:
        InputError: the data root is in a bucket.
    """
    return DataPaths(data_root).batch_ledger(table)


def known_ledger(data_root: DataPath | str, table: str) -> Path | None:
    """Return the file of a table's ledger if there is one, as never in a bucket."""
    if DataPaths(data_root).in_bucket or not (path := ledger_path(data_root, table)).exists():
        return None
    return path


def open_batches(data_root: DataPath | str) -> dict[str, list[Batch]]:
    """Return the batches that are not collected, by table; a missing ledger is not made."""
    found: dict[str, list[Batch]] = {}
    for table in TABLES:
        if path := known_ledger(data_root, table):
            with Ledger(path) as ledger:
                found[table] = ledger.batches()
    return found


def left_files(data_root: DataPath | str) -> list[Path]:
    """Return files of requests or answers that a killed run left on this disk."""
    if DataPaths(data_root).in_bucket:
        return []
    folder = ledger_path(data_root, TABLES[0]).parent
    return [path for path in folder.glob("*") if path.suffix in (".jsonl", ".answers")]


class Ledger:
    """The batches of one table, in one SQLite file; several processes may share it."""

    def __init__(self, path: Path) -> None:
        """Open the ledger; the file and its folder are made if they are missing.

        Raises:
            JournalError: the file cannot be used.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=FULL")  # a batch that is lost is paid twice
            self._database.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(
                f"The ledger of batches {path} cannot be opened ({error}). Make its folder "
                "writable. If the file is damaged, the open batches are listed by the server: "
                "cancel them there before you move the file away, or they are paid twice."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._database.close()

    @property
    def folder(self) -> Path:
        """Folder of the files of requests that are being written, and of answers being read."""
        return self.path.parent

    def batches(self, place: str | None = None) -> list[Batch]:
        """Return all batches, or those of one partition, oldest first."""
        where, values = ("WHERE place = ?", (place,)) if place is not None else ("", ())
        query = f"SELECT {_COLUMNS} FROM batches {where} ORDER BY made_at, name"
        return [_batch(row) for row in self._database.execute(query, values).fetchall()]

    def keys(self, name: str) -> set[str]:
        """Return the keys of a batch's requests."""
        query = "SELECT key FROM requests WHERE name = ?"
        return {key for (key,) in self._database.execute(query, (name,))}

    def keys_of(self, place: str) -> set[str]:
        """Return the keys of all requests of a partition's batches."""
        query = "SELECT key FROM requests JOIN batches USING (name) WHERE place = ?"
        return {key for (key,) in self._database.execute(query, (place,))}

    def count(self, base_url: str) -> int:
        """Return the number of batches that a server has, over all partitions."""
        query = "SELECT count(*) FROM batches WHERE base_url = ? AND state = ?"
        values = (base_url, State.SUBMITTED.value)
        return self._database.execute(query, values).fetchone()[0]

    def begin(self, batch: Batch) -> None:
        """Note a batch whose file will be written."""
        partition, learned = json.dumps(batch.partition), json.dumps(asdict(batch.learned))
        values = (batch.name, batch.place, partition, batch.base_url, batch.model, learned)
        with self._transaction() as database:
            database.execute(
                "INSERT INTO batches (name, place, partition, base_url, model, learned, made_at, "
                "state) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, batch.made_at, State.BUILDING.value),
            )

    def uploading(self, name: str, keys: Collection[str]) -> None:
        """Note that a batch's file is complete and will be sent now."""
        with self._transaction() as database:
            rows = [(name, key) for key in keys]
            database.executemany("INSERT INTO requests VALUES (?, ?)", rows)
            database.execute(
                "UPDATE batches SET state = ?, total = ? WHERE name = ?",
                (State.UPLOADING.value, len(rows), name),
            )

    def uploaded(self, name: str, file_id: str) -> None:
        """Note the server's id of a batch's file, of which there is no batch."""
        self._set(name, state=State.UPLOADED.value, file_id=file_id, batch_id="", status="")

    def creating(self, name: str) -> None:
        """Note that the server will be asked for the batch now."""
        self._set(name, state=State.CREATING.value)

    def submitted(self, name: str, batch_id: str) -> None:
        """Note the server's id of a batch."""
        self._set(name, state=State.SUBMITTED.value, batch_id=batch_id)

    def look(self, name: str, status: str, done: int, failed: int) -> None:
        """Note what the server says of a batch."""
        self._set(name, status=status, done=done, failed=failed)

    def close(self, name: str) -> None:
        """Forget a batch: its replies are durable, or it will be asked for anew."""
        with self._transaction() as database:
            database.execute("DELETE FROM requests WHERE name = ?", (name,))
            database.execute("DELETE FROM batches WHERE name = ?", (name,))

    def note_unsent(self, place: str, count: int) -> None:
        """Note how many requests of a partition wait for room at the server."""
        with self._transaction() as database:
            database.execute("DELETE FROM unsent WHERE place = ?", (place,))
            if count:
                database.execute("INSERT INTO unsent VALUES (?, ?)", (place, count))

    def unsent(self, place: str) -> int:
        """Return how many requests of a partition wait for room at the server."""
        query = "SELECT count FROM unsent WHERE place = ?"
        row = self._database.execute(query, (place,)).fetchone()
        return row[0] if row else 0

    def _set(self, name: str, **values: object) -> None:
        columns = ", ".join(f"{column} = ?" for column in values)
        with self._transaction() as database:
            database.execute(
                f"UPDATE batches SET {columns} WHERE name = ?", (*values.values(), name)
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield self._database
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise JournalError(
                f"The ledger of batches {self.path} cannot be written ({error}). Make room on its "
                "disk, then run again."
            ) from error


def time_now() -> str:
    """Return the time as the ledger keeps it."""
    return datetime.now(UTC).isoformat()


def _batch(row: Iterable[object]) -> Batch:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    known = json.loads(str(values.pop("learned")))
    known["left_out"] = tuple(known["left_out"])
    return Batch(
        **values  # type: ignore[arg-type]
        | {
            "partition": json.loads(str(values["partition"])),
            "learned": Learned(**known),
            "state": State(str(values["state"])),
        }
    )
