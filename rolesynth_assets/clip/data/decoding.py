"""Decoding of many images at once, in threads or in worker processes.

Pillow decodes and scales without Python's lock, so threads use a few cores well. Processes leave
that lock to the training thread, which launches the work of a GPU, and start where they pay.
"""

from __future__ import annotations

import json
import mmap
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np

from rolesynth_assets.clip.data.geometry import UNREADABLE, Geometry, decode
from rolesynth_assets.parallel.worker_process import (
    Worker,
    WorkerPool,
    WorkerStartError,
    read_line,
)

PAYS_FROM = 4
"""CPUs from which processes are used; fewer are busy with threads already."""
PAYS_OVER = 5_000
"""Images from which processes are used: a worker starts in about as long as it decodes thirty, and
a set that threads decode within a minute needs none."""
MOST_WORKERS = 32
CHUNK = 32
"""Images that a worker gets at a time: 5 MB at 224 pixels."""
_TURNS = 4  # chunks for each worker, so that none waits long for the last one
PATIENCE_S = 600.0
"""Seconds for one chunk; 32 photographs of 200 megapixels take about a minute."""
_WORKER = "from rolesynth_assets.clip.data.decode_worker import serve; serve()"


class DecoderStartError(WorkerStartError):
    """A worker does not start."""


def usable_cpus() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; a container may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Decoders:
    """What decodes the images of one training.

    Args:
        fit: function from an RGB image to one of the model's size.
        images: about how many images will be decoded.
        workers: threads or processes at once; as many as CPUs by default.
    """

    def __init__(self, fit: Callable[[Any], Any], images: int, workers: int | None = None) -> None:
        self._fit, count = fit, min(workers or usable_cpus(), MOST_WORKERS)
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="decode")
        self._workers: WorkerPool | None = None
        self._count = count
        if isinstance(fit, Geometry) and count >= PAYS_FROM and images >= PAYS_OVER:
            geometry = fit
            self._workers = WorkerPool(lambda: _DecodingWorker(geometry), count)

    @property
    def processes(self) -> int:
        """Number of worker processes, 0 if threads decode."""
        return self._count if self._workers else 0

    def decode(self, encoded: Sequence[bytes], out: np.ndarray) -> dict[int, str]:
        """Decode images.

        Args:
            encoded: the whole files.
            out: where the pixels go, uint8 of shape (N, height, width, 3).

        Returns:
            What is wrong with the files that cannot be decoded, by index.

        Raises:
            DecoderStartError: a worker process does not start.
            WorkerEndedError: two worker processes ended over the same images.
            TimeoutError: a worker process takes longer than `PATIENCE_S`.
        """
        one = self._in_process if self._workers else self._here
        size = max(1, min(CHUNK, len(encoded) // (self._count * _TURNS)))
        starts = range(0, len(encoded), size)
        parts = [(encoded[at : at + size], out[at : at + size]) for at in starts]
        faults: dict[int, str] = {}
        for at, found in zip(starts, self._threads.map(one, parts), strict=True):
            faults |= {at + index: fault for index, fault in found.items()}
        return faults

    def close(self) -> None:
        """Stop all threads and processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._workers is not None:
            self._workers.end()

    def _here(self, part: tuple[Sequence[bytes], np.ndarray]) -> dict[int, str]:
        faults = {}
        for index, (data, place) in enumerate(zip(*part, strict=True)):
            try:
                place[...] = np.frombuffer(decode(data, self._fit), np.uint8).reshape(place.shape)
            except UNREADABLE as error:
                faults[index] = str(error)
        return faults

    def _in_process(self, part: tuple[Sequence[bytes], np.ndarray]) -> dict[int, str]:
        encoded, out = part

        def ask(worker: Worker) -> dict[int, str]:
            assert isinstance(worker, _DecodingWorker)
            return worker.decode(encoded, out)

        assert self._workers is not None
        return self._workers.with_worker(ask)


class _DecodingWorker(Worker):
    """A process that puts pixels into memory that it shares with this one."""

    def __init__(self, geometry: Geometry) -> None:
        size = CHUNK * geometry.height * geometry.width * 3
        self._file = _unnamed_file()  # open as long as a worker may be started again
        os.ftruncate(self._file.fileno(), size)
        self._pixels = np.frombuffer(mmap.mmap(self._file.fileno(), size), np.uint8)
        number = self._file.fileno()
        super().__init__(_WORKER, _not_started, [str(number), geometry.text], files=[number])

    def decode(self, encoded: Sequence[bytes], out: np.ndarray) -> dict[int, str]:
        sizes = json.dumps([len(data) for data in encoded]).encode() + b"\n"
        with self.asked(b"".join((sizes, *encoded))) as process:
            said: Mapping[str, str] = json.loads(read_line(process, PATIENCE_S))
        out[...] = self._pixels[: out.size].reshape(out.shape)
        return {int(index): fault for index, fault in said.items()}


def _unnamed_file() -> IO[bytes]:
    """Return a file without a name, in memory where the system has such files."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("rolesynth-pixels"), "w+b")
    return tempfile.TemporaryFile()


def _not_started(fate: str) -> DecoderStartError:
    return DecoderStartError(
        f"A process that decodes the images of a training {fate} instead of starting; its error is "
        "printed above."
    )
