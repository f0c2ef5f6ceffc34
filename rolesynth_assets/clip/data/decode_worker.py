"""A process that decodes images; it imports little, so that it starts fast."""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
from collections.abc import Mapping
from typing import IO

from rolesynth_assets.clip.data.geometry import UNREADABLE, Geometry, decode


def serve() -> None:
    """Be a worker: decode into the shared memory until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends workers
    replies = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "w") as nowhere:  # what a library prints is not a reply
        os.dup2(nowhere.fileno(), 1)
    geometry = Geometry.parse(sys.argv[2])
    pixels, row = mmap.mmap(int(sys.argv[1]), 0), geometry.height * geometry.width * 3
    _reply(replies, {})
    while line := sys.stdin.buffer.readline():
        faults = {}
        for index, size in enumerate(json.loads(line)):
            encoded = sys.stdin.buffer.read(size)
            try:
                pixels[index * row : (index + 1) * row] = decode(encoded, geometry)
            except UNREADABLE as error:
                faults[index] = str(error)
        _reply(replies, faults)


def _reply(replies: IO[bytes], said: Mapping[int, str]) -> None:
    replies.write(json.dumps(said).encode() + b"\n")
    replies.flush()
