"""The reader of zip archives, which trusts none of the sizes in them."""

from __future__ import annotations

import io
import itertools
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import IO, Any

from rolesynth_assets.images.decoding.formats import HEAD_BYTES, IMAGE_EXTENSIONS, is_image
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import ContainerLimits, limits_in_use
from rolesynth_assets.images.places.buckets import open_source
from rolesynth_assets.images.places.paths import is_hidden, unsafe_path
from rolesynth_assets.images.readers.expansion import BombError, Expansion
from rolesynth_assets.images.readers.member import Member, archive_within

MAX_DIRECTORY_BYTES = 64 * 2**20  # of the list of members, some 600,000 of them; it is read whole
_READ_ERRORS = (zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError, NotImplementedError)
_PIECE = 2**20  # bytes unpacked at once
_HEADER = 30  # bytes of a member's own header, without its name
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods that Python unpacks piece by piece; of the others it unpacks a piece of any size."""


def iter_zip(
    path: str, max_bytes: int, container: ContainerLimits | None = None
) -> Iterator[Member]:
    """Read the images of a zip in the order of its directory.

    What counts as an image, and what is refused, is the same as in a tar (`iter_tar`). A damaged or
    encrypted member is a reject, and reading continues. A member that shares bytes with another is
    an `archive_bomb`. If the zip is a bomb, an `archive_bomb` row follows the members that were
    read before; members that end as rejects count.

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
    spent = Expansion(packed, container)
    infos = archive.infolist()
    shared = _overlapping(infos)
    for place, info in enumerate(infos[: container.max_members]):
        name = info.filename.encode("utf-8", "replace").decode("utf-8")
        with spent.timed():
            data = _read(archive, info, max_bytes, spent, place in shared)
        if data is not None:
            yield Member(f"{path}::{name}", data)
    if len(infos) > container.max_members:
        detail = f"more than {container.max_members} members, limits.container.max_members"
        yield Member(path, Reject(RejectReason.TOO_MANY_MEMBERS, detail))
    if not infos:
        yield Member(path, Reject(RejectReason.BROKEN_ARCHIVE, "no member at all"))


def _overlapping(infos: Sequence[zipfile.ZipInfo]) -> set[int]:
    """Return the places of the members that reach into the next one; Python reads these too."""
    order = sorted(range(len(infos)), key=lambda place: infos[place].header_offset)
    found = set()
    for place, follower in itertools.pairwise(order):
        info = infos[place]
        end = info.header_offset + _HEADER + len(info.orig_filename) + info.compress_size
        if end > infos[follower].header_offset:
            found.add(place)
    return found


def _read(
    archive: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    max_bytes: int,
    spent: Expansion,
    shared: bool,
) -> bytes | Reject | None:
    """Return a member's bytes or its reject; None for a folder, a dot file or a sidecar.

    Raises:
        BombError: the zip has unpacked too many bytes.
    """
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
    if shared:
        return Reject(RejectReason.ARCHIVE_BOMB, "its bytes are those of another member too")
    named = PurePosixPath(info.filename).suffix.lower() in IMAGE_EXTENSIONS
    if info.flag_bits & 1 or info.compress_type not in _PLAIN:
        what = "encrypted" if info.flag_bits & 1 else f"packed by method {info.compress_type}"
        detail = f"{what}; unpack the archive, and ingest the folder"
        return Reject(RejectReason.UNREADABLE, detail) if named else None
    if named and info.file_size > max_bytes:
        return _too_large(info.file_size, max_bytes)
    stated = max(info.file_size, 1)  # Python unpacks what is asked for, and then drops the rest
    try:
        with archive.open(info) as member:
            head = _counted(member, min(HEAD_BYTES, stated), spent)
            if not named and not is_image(head):
                return None
            pieces, left = [head], max_bytes + 1 - len(head)
            while left > 0 and (piece := _counted(member, min(_PIECE, left, stated), spent)):
                pieces.append(piece)
                left -= len(piece)
    except BombError:
        raise
    except _READ_ERRORS as error:
        return Reject(RejectReason.BROKEN_ARCHIVE, f"{type(error).__name__}: {error}")
    data = b"".join(pieces)
    return data if len(data) <= max_bytes else _too_large(len(data), max_bytes)


def _counted(member: IO[bytes], size: int, spent: Expansion) -> bytes:
    """Read up to `size` bytes, and count them; of a piece that ends with an error, all of them.

    Raises:
        BombError: the zip has unpacked too many bytes.
    """
    read = size
    try:
        piece = member.read(size)
        read = len(piece)
    finally:
        spent.add(read)
    return piece


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
