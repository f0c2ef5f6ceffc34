"""The members of a shard, which are its candidate images, and the reading of one file."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from rolesynth_assets.images.decoding.rejects import Reject, RejectReason


@dataclass(frozen=True)
class Member:
    """One candidate image of a shard.

    Attributes:
        source: its origin: `path`, `tar::member` or `table::row`.
        data: its encoded bytes as found, or a reject with the reason why there are none.
    """

    source: str
    data: bytes | Reject


_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".parquet", ".7z", ".rar")


def archive_within(name: str) -> Reject | None:
    """Return the reject of a member of an archive that is an archive itself, by its name."""
    if name.lower().endswith(_ARCHIVES):
        detail = "an archive inside an archive; unpack the outer one, and ingest its folder"
        return Reject(RejectReason.UNSUPPORTED_FORMAT, detail)
    return None


def read_file(path: str, max_bytes: int) -> bytes | Reject:
    """Read a regular file of at most `max_bytes`, or return a reject; links are followed."""
    try:
        # non-blocking: opening a FIFO that took the place of a file must not wait for a writer
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return Reject(RejectReason.UNSAFE_PATH, "not a regular file")
            data = file.read(max_bytes + 1)
    except FileNotFoundError as error:
        return Reject(RejectReason.SOURCE_MISSING, error.strerror or "gone")
    except OSError as error:
        return Reject(RejectReason.UNREADABLE, error.strerror or type(error).__name__)
    if len(data) > max_bytes:
        return Reject(RejectReason.TOO_MANY_BYTES, f"more than the limit of {max_bytes} bytes")
    return data
