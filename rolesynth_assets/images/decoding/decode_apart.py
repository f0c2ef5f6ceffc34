"""Decoders of AVIF, HEIF and JPEG XL, in processes of their own with bounds on memory and time.

The size in the header of such a file binds neither its codec nor its decoder: an AVIF of 64 x 64
pixels may contain a frame of 16,384 x 16,384. So the memory is bounded from outside, and a decoder
that crashes ends its process alone. A worker is a plain ``python -P``, as in
`rolesynth_assets.answers.checker_process`.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
from queue import LifoQueue
from typing import IO, Any

from rolesynth_assets.images.decoding.bounds import Refused
from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.limits import DecodeLimits

APART = ("AVIF", "HEIF", "JXL")
"""The formats that are decoded here."""
WORKERS = 2
"""Processes at most; each starts with its first image and takes about 100 MB."""
START_S = 300.0
"""Seconds to start, on a machine that is busy with something else."""
ROOM = 32 * 2**20
"""Bytes of address space beyond what a decode may take, for copies of the file and the reply."""

_WORKER = f"from {__name__} import serve; serve()"


class DecoderStartError(RuntimeError):
    """A worker does not start."""


def decode_apart(
    data: bytes, image_format: str, limits: DecodeLimits
) -> tuple[bytes, tuple[int, int]]:
    """Decode a file in a worker, and return it as an upright RGB PNG with its (width, height).

    Raises:
        Refused: the file is damaged, or over a limit.
        DecoderStartError: no worker starts.
    """
    worker = _idle.get()
    try:
        for _ in range(2):  # one retry, in case something else killed the worker
            try:
                said, png = worker.ask(data, image_format, limits)
                break
            except TimeoutError:
                detail = f"more than {limits.max_seconds:g} s, limits.image.max_seconds"
                raise Refused(RejectReason.TOO_SLOW, detail) from None
            except (EOFError, BrokenPipeError):
                continue
        else:
            detail = f"{image_format}: the decoder ends with {worker.fate}"
            raise Refused(RejectReason.CORRUPT, detail)
    finally:
        _idle.put(worker)
    if "reason" in said:
        raise Refused(RejectReason(said["reason"]), said["detail"])
    return png, (said["width"], said["height"])


class _Worker:
    """One process, started when it is needed, and again after it had to be ended."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.fate = "no reply"

    def ask(
        self, data: bytes, image_format: str, limits: DecodeLimits
    ) -> tuple[dict[str, Any], bytes]:
        """Raises TimeoutError, EOFError or BrokenPipeError, all after the end of the process."""
        try:
            process = self.process or self._start()
            assert process.stdin is not None and process.stdout is not None
            question = {"format": image_format, "bytes": len(data), **limits.model_dump()}
            process.stdin.write(json.dumps(question).encode() + b"\n" + data)
            process.stdin.flush()
            said = json.loads(_line(process, limits.max_seconds))
            png = process.stdout.read(said.get("bytes", 0))
            if len(png) < said.get("bytes", 0):
                raise EOFError
            return said, png
        except BaseException:  # an interrupt too: the next file must not get this one's reply
            self.end()
            raise

    def end(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.poll()
            process.kill()
            process.communicate()
            self.fate = f"code {process.returncode}"

    def _start(self) -> subprocess.Popen[bytes]:
        self.process = process = subprocess.Popen(
            [sys.executable, "-P", "-c", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"},
        )
        try:
            _line(process, START_S)
        except (TimeoutError, EOFError) as error:
            raise DecoderStartError(
                "The process that decodes AVIF, HEIF and JPEG XL does not start; its error is "
                "printed above. The packages pillow-heif and pillow-jxl-plugin must import."
            ) from error
        return process


def _line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise TimeoutError
    line = process.stdout.readline()
    if not line:
        raise EOFError
    return line


_workers: list[_Worker] = []
_idle: LifoQueue[_Worker] = LifoQueue()  # so that a warm worker is taken first


def _prepare() -> None:
    """Make workers, none of them started; in the child of a fork, these are its own."""
    global _workers, _idle
    _workers, _idle = [_Worker() for _ in range(WORKERS)], LifoQueue()
    for worker in _workers:
        _idle.put(worker)


def _end() -> None:
    for worker in _workers:
        worker.end()


_prepare()
atexit.register(_end)
os.register_at_fork(after_in_child=_prepare)


def serve() -> None:
    """Be a worker: answer until standard input ends."""
    from rolesynth_assets.images.decoding.apart_formats import decode

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends workers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    replies = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "w") as nowhere:  # what a library prints is not a reply
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    at_rest = _address_space()
    _reply(replies, {}, b"")
    while line := sys.stdin.buffer.readline():
        question = json.loads(line)
        image_format, size = question.pop("format"), question.pop("bytes")
        data = sys.stdin.buffer.read(size)
        limits = DecodeLimits(**question)
        most = at_rest + limits.max_decode_bytes + ROOM + 2 * size
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        seconds = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime + limits.max_seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        said, png = decode(data, image_format, limits)
        _reply(replies, said, png)


def _reply(replies: IO[bytes], said: dict[str, Any], png: bytes) -> None:
    replies.write(json.dumps({**said, "bytes": len(png)}).encode() + b"\n" + png)
    replies.flush()


def _address_space() -> int:
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
