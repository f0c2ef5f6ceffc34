"""The reader of zip archives, which trusts none of the sizes in them."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from rolesynth_assets.images.decoding.formats import HEAD_BYTES, IMAGE_EXTENSIONS, is_image
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import ContainerLimits, limits_in_use
from rolesynth_assets.images.places.buckets import open_source
from rolesynth_assets.images.places.paths import is_hidden, unsafe_path
from rolesynth_assets.images.readers.member import Member, archive_within
from rolesynth_assets.images.readers.parquet_pages import BombError, check_expansion

MAX_DIRECTORY_BYTES = 64 * 2**20  # of the list of members, some 600,000 of them; it is read whole
_READ_ERRORS = (zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError, NotImplementedError)
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods that Python unpacks piece by piece; of the others it unpacks a piece of any size."""


def iter_zip(
    path: str, max_bytes: int, container: ContainerLimits | None = None
) -> Iterator[Member]:
    """Read the images of a zip in the order of its directory.

    What counts as an image, and what is refused, is the same as in a tar (`iter_tar`). A damaged or
    encrypted member is a reject, and reading continues. If the zip is a bomb, an `archive_bomb` row
    follows the members that were read before.

    Args:
        path: path of the zip, or its URL in a bucket.
        max_bytes: a larger member is refused unread.
        container: bounds on the whole zip.

    Yields:
        Members; `source` is `path::member`.

    Raises:
        BucketError: the zip's bucket cannot be read.
    """
    container = container or limits_in_use().container
    try:
        with open_source(path) as file:
            packed = file.seek(0, io.SEEK_END)
            file.seek(0)
            with zipfile.ZipFile(_Guarded(file, packed)) as archive:  # type: ignore[arg-type]
                yield from _iter_open(archive, path, packed, max_bytes, container)
    except BombError as error:
        yield Member(path, Reject(RejectReason.ARCHIVE_BOMB, str(error)))
    except _READ_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:
            reject = Reject(RejectReason.UNREADABLE, error.strerror or str(error))
        else:
            reject = Reject(RejectReason.BROKEN_ARCHIVE, f"{type(error).__name__}: {error}")
        yield Member(path, reject)


def _iter_open(
    archive: zipfile.ZipFile, path: str, packed: int, max_bytes: int, container: ContainerLimits
) -> Iterator[Member]:
    unpacked = 0
    infos = archive.infolist()
    for info in infos[: container.max_members]:
        name = info.filename.encode("utf-8", "replace").decode("utf-8")
        data = _read(archive, info, max_bytes)
        if data is not None:
            yield Member(f"{path}::{name}", data)
            unpacked += len(data) if isinstance(data, bytes) else 0
            check_expansion(unpacked, packed, container)
    if len(infos) > container.max_members:
        detail = f"more than {container.max_members} members, limits.container.max_members"
        yield Member(path, Reject(RejectReason.TOO_MANY_MEMBERS, detail))
    if not infos:
        yield Member(path, Reject(RejectReason.BROKEN_ARCHIVE, "no member at all"))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> bytes | Reject | None:
    """Return a member's bytes or its reject; None for a folder, a dot file or a sidecar."""
    if not info.filename:
        return Reject(RejectReason.BROKEN_ARCHIVE, "a member without a name")
    if why := unsafe_path(info.filename):
        return Reject(RejectReason.UNSAFE_PATH, why)
    if info.is_dir() or is_hidden(info.filename):
        return None
    if stat.S_ISLNK(info.external_attr >> 16):
        return Reject(RejectReason.UNSAFE_PATH, "a link")
    if within := archive_within(info.filename):
        return within
    named = PurePosixPath(info.filename).suffix.lower() in IMAGE_EXTENSIONS
    if info.flag_bits & 1 or info.compress_type not in _PLAIN:
        what = "encrypted" if info.flag_bits & 1 else f"packed by method {info.compress_type}"
        detail = f"{what}; unpack the archive, and ingest the folder"
        return Reject(RejectReason.UNREADABLE, detail) if named else None
    if named and info.file_size > max_bytes:
        return _too_large(info.file_size, max_bytes)
    try:
        with archive.open(info) as member:
            head = member.read(HEAD_BYTES)
            if not named and not is_image(head):
                return None
            data = head + member.read(max_bytes + 1 - len(head))
    except _READ_ERRORS as error:
        return Reject(RejectReason.BROKEN_ARCHIVE, f"{type(error).__name__}: {error}")
    return data if len(data) <= max_bytes else _too_large(len(data), max_bytes)


def _too_large(size: int, max_bytes: int) -> Reject:
    return Reject(RejectReason.TOO_MANY_BYTES, f"{size} bytes or more; the limit is {max_bytes}")


class _Guarded:
    """A file of which no single read takes more than `MAX_DIRECTORY_BYTES`."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size

    def read(self, size: int = -1) -> bytes:
        left = max(self._size - self._file.tell(), 0)
        size = left if size < 0 else min(size, left)
        if size > MAX_DIRECTORY_BYTES:
            raise ValueError(
                f"a list of members of {size} bytes; the limit is {MAX_DIRECTORY_BYTES}"
            )
        return self._file.read(size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
