"""Decoders of AVIF, HEIF and JPEG XL, in processes of their own with bounds on memory and time.

The size in the header of such a file binds neither its codec nor its decoder: an AVIF of 64 x 64
pixels may contain a frame of 16,384 x 16,384. So the memory is bounded from outside, and a decoder
that crashes ends its process alone.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import sys
from typing import IO, Any

from rolesynth_assets.images.decoding.bounds import LARGE, Refused
from rolesynth_assets.images.decoding.rejects import RejectReason
from rolesynth_assets.images.limits import DecodeLimits
from rolesynth_assets.parallel.worker_process import (
    Worker,
    WorkerEndedError,
    WorkerPool,
    WorkerStartError,
    begin_answering,
    read_line,
)

APART = ("AVIF", "HEIF", "JXL")
"""The formats that are decoded here."""
WORKERS = 2
"""Processes at most; each starts with its first image and takes about 100 MB."""
ROOM = 32 * 2**20
"""Bytes of address space beyond what a decode may take, for copies of the file and the reply."""

_WORKER = f"from {__name__} import serve; serve()"


class DecoderStartError(WorkerStartError):
    """A worker does not start."""


def decode_apart(
    data: bytes, image_format: str, limits: DecodeLimits
) -> tuple[bytes, tuple[int, int]]:
    """Decode a file in a worker, and return it as an upright RGB PNG with its (width, height).

    A large file is decoded alone, at half its size.

    Raises:
        Refused: the file is damaged, or over a limit.
        DecoderStartError: no worker starts.
    """
    said, png = _asked(data, image_format, limits, alone=False)
    if said.get("large"):
        with LARGE:
            said, png = _asked(data, image_format, limits, alone=True)
    if "reason" in said:
        raise Refused(RejectReason(said["reason"]), said["detail"])
    return png, (said["width"], said["height"])


def _asked(
    data: bytes, image_format: str, limits: DecodeLimits, alone: bool
) -> tuple[dict[str, Any], bytes]:
    about = {"format": image_format, "bytes": len(data), "alone": alone}
    question = {**about, "limits": limits.model_dump()}

    def reply(worker: Worker) -> tuple[dict[str, Any], bytes]:
        with worker.asked(json.dumps(question).encode() + b"\n" + data) as process:
            said = json.loads(read_line(process, limits.max_seconds))
            assert process.stdout is not None
            png = process.stdout.read(said.get("bytes", 0))
            if len(png) < said.get("bytes", 0):
                raise EOFError
            return said, png

    try:
        return DECODERS.with_worker(reply)
    except TimeoutError:
        detail = f"more than {limits.max_seconds:g} s, limits.image.max_seconds"
        raise Refused(RejectReason.TOO_SLOW, detail) from None
    except WorkerEndedError as ended:
        detail = f"{image_format}: the decoder ends with {ended}"
        raise Refused(RejectReason.CORRUPT, detail) from None


def _not_started(fate: str) -> DecoderStartError:
    return DecoderStartError(
        f"The process that decodes AVIF, HEIF and JPEG XL {fate} instead of starting; its error is "
        "printed above. The packages pillow-heif and pillow-jxl-plugin must import."
    )


def _worker() -> Worker:
    return Worker(_WORKER, _not_started, environ={"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1"})


DECODERS = WorkerPool(_worker, WORKERS)
"""The workers of this program."""
atexit.register(DECODERS.end)
os.register_at_fork(after_in_child=DECODERS.forget)


def serve() -> None:
    """Be a worker: answer until standard input ends."""
    from rolesynth_assets.images.decoding.apart_formats import decode

    replies = begin_answering()
    at_rest = _address_space()
    _reply(replies, {}, b"")
    while line := sys.stdin.buffer.readline():
        question = json.loads(line)
        image_format, size, alone = (question[name] for name in ("format", "bytes", "alone"))
        data = sys.stdin.buffer.read(size)
        limits = DecodeLimits(**question["limits"])
        room = limits.max_large_bytes if alone else limits.max_decode_bytes
        most = at_rest + room + ROOM + 2 * size
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        seconds = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime + limits.max_seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
        said, png = decode(data, image_format, limits, alone)
        _reply(replies, said, png)


def _reply(replies: IO[bytes], said: dict[str, Any], png: bytes) -> None:
    replies.write(json.dumps({**said, "bytes": len(png)}).encode() + b"\n" + png)
    replies.flush()


def _address_space() -> int:
    with open("/proc/self/statm") as sizes:
        return int(sizes.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
