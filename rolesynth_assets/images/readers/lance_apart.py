"""The rows of a user's Lance dataset, read in a process of their own.

Some damaged files make Lance end its process: a panic in Rust while Arrow asks for the next batch
cannot be caught. Then the reading of that dataset ends, and the program goes on.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa

from rolesynth_assets.images.descriptor import ShardDescriptor
from rolesynth_assets.images.readers.columns import pick_column
from rolesynth_assets.parallel.worker_process import (
    Worker,
    WorkerStartError,
    begin_answering,
    read_line,
)

ROWS_PER_READ = 1
"""The size of a cell is known only after it was decoded, and it may take no bytes in the file."""

_NEXT = b"next\n"
"""Asks for the batch after the one that was sent."""
_WORKER = f"from {__name__} import serve; serve()"


class DamagedLanceError(ValueError):
    """A dataset cannot be read to its end; the message says how its reading ended."""


class LanceReaderStartError(WorkerStartError):
    """The process that reads Lance datasets does not start."""


class LanceRows:
    """A range of rows of one version of a dataset, to be read once.

    Attributes:
        rows_in_all: rows of the whole dataset in that version, known with the first batch.
    """

    def __init__(self, descriptor: ShardDescriptor, seconds: float) -> None:
        """Set up; nothing is read.

        Args:
            descriptor: a shard of kind lance, with `column` and `version`.
            seconds: longest time to open the dataset, or to get one batch.
        """
        self._descriptor, self._seconds = descriptor, seconds
        self.rows_in_all = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield batches of one column and at most `ROWS_PER_READ` rows, in order.

        Raises:
            DamagedLanceError: the dataset cannot be opened, or a row cannot be read.
            LanceReaderStartError: the process does not start.
        """
        shard = self._descriptor
        asked = {
            "uri": shard.uri,
            "version": shard.version,
            "column": shard.column,
            "first": shard.first_row,
            "rows": shard.rows,
        }
        with _lent_worker() as worker:
            try:
                with worker.asked(json.dumps(asked).encode() + b"\n") as process:
                    fault = yield from self._batches(process)
            except (EOFError, BrokenPipeError):
                raise DamagedLanceError(
                    f"Lance ends its process while it reads the dataset ({worker.fate}): the "
                    "dataset is damaged, or does not fit in memory"
                ) from None
            except TimeoutError:
                raise DamagedLanceError(
                    f"one read takes more than {self._seconds:g} s, limits.container.max_seconds"
                ) from None
        if fault:
            raise DamagedLanceError(fault)

    def _batches(
        self, process: subprocess.Popen[bytes]
    ) -> Generator[pa.RecordBatch, None, str | None]:
        """Yield the batches; return why there are no more, if that is a fault."""
        assert process.stdin is not None and process.stdout is not None
        while said := json.loads(read_line(process, self._seconds)):
            if "error" in said:
                return said["error"]
            self.rows_in_all = said["rows_in_all"]
            batch = process.stdout.read(said["bytes"])
            if len(batch) < said["bytes"]:
                raise EOFError
            yield pa.ipc.open_stream(batch).read_next_batch()
            process.stdin.write(_NEXT)
            process.stdin.flush()
        return None


_IDLE: list[Worker] = []
"""Workers without a question, which the next dataset takes."""
_KEPT = 2


@contextmanager
def _lent_worker() -> Iterator[Worker]:
    try:
        worker = _IDLE.pop()
    except IndexError:
        worker = Worker(_WORKER, _not_started)
    try:
        yield worker
    finally:
        if len(_IDLE) < _KEPT:
            _IDLE.append(worker)
        else:
            worker.end()


def _end_idle() -> None:
    while _IDLE:
        _IDLE.pop().end()


atexit.register(_end_idle)
os.register_at_fork(after_in_child=_IDLE.clear)


def _not_started(fate: str) -> LanceReaderStartError:
    return LanceReaderStartError(
        f"The process that reads Lance datasets {fate} instead of starting; its error is printed "
        "above. The package pylance must import."
    )


def serve() -> None:
    """Be a worker: answer until standard input ends."""
    import lance  # noqa: F401 - an import that fails is seen in the terminal

    replies = begin_answering()
    _reply(replies, {})
    while line := sys.stdin.buffer.readline():
        try:
            _read(json.loads(line), replies)
        except BaseException as error:  # panics in Rust are not an `Exception`
            _reply(replies, {"error": f"{type(error).__name__}: {error}"})


def _read(asked: dict[str, Any], replies: IO[bytes]) -> None:
    import lance

    dataset = lance.dataset(asked["uri"], version=asked["version"])
    column = pick_column(dataset.schema, asked["column"], asked["uri"])
    rows_in_all = dataset.count_rows()
    batches = dataset.to_batches(
        columns=[column],
        offset=asked["first"],
        limit=asked["rows"],
        batch_size=ROWS_PER_READ,
        batch_readahead=1,
        fragment_readahead=1,
    )
    for batch in batches:
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, batch.schema) as stream:
            stream.write_batch(batch)
        content = out.getvalue()
        _reply(replies, {"rows_in_all": rows_in_all, "bytes": content.size}, content)
        if sys.stdin.buffer.readline() != _NEXT:
            return
    _reply(replies, {})


def _reply(replies: IO[bytes], said: dict[str, Any], batch: pa.Buffer | bytes = b"") -> None:
    replies.write(json.dumps(said).encode() + b"\n")
    replies.write(batch)
    replies.flush()
