"""Webdataset tars, read as a stream that survives damage and hostile members."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from rolesynth_assets.images.buckets import open_source
from rolesynth_assets.images.formats import HEAD_BYTES, IMAGE_EXTENSIONS, is_image
from rolesynth_assets.images.readers import Member, is_hidden, unsafe_path
from rolesynth_assets.images.rejects import Reject, RejectReason

MAX_HEADER_BYTES = 2**20  # of a long name or of extended attributes; real ones are below 10 kB
# after damage we look for the next good header over at most this much, two of the largest members
MAX_RESYNC_BLOCKS = 128 * 2**20 // tarfile.BLOCKSIZE
_READ_ERRORS = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
_EXTENDED = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


class _GuardedTar(tarfile.TarFile):
    """A tar that remembers damage which the standard library passes over in silence."""

    members: list[tarfile.TarInfo]
    damage: str = ""
    bad_blocks: int = 0


class _GuardedInfo(tarfile.TarInfo):
    @classmethod
    def fromtarfile(cls, tarfile: _GuardedTar) -> _GuardedInfo:  # type: ignore[override]
        try:
            info = super().fromtarfile(tarfile)
        except Exception as error:
            _note_damage(tarfile, error)
            raise
        tarfile.bad_blocks = 0
        return info

    def _proc_member(self, tarfile: tarfile.TarFile) -> tarfile.TarInfo:
        # the method that the library's own comments name as the place to extend
        if self.type in _EXTENDED and self.size > MAX_HEADER_BYTES:
            raise ValueError(f"a header of {self.size} bytes; the limit is {MAX_HEADER_BYTES}")
        return super()._proc_member(tarfile)  # type: ignore[misc]


def _note_damage(tar: _GuardedTar, error: Exception) -> None:
    kind = type(error).__name__  # these subclasses of tarfile.HeaderError are not public
    if kind == "EOFHeaderError":  # a block of zeros: the end, or the seam of two joined tars
        tar.bad_blocks += 1
    elif kind == "InvalidHeaderError":
        tar.bad_blocks += 1
        tar.damage = tar.damage or f"no readable header at byte {tar.offset}"
    elif kind == "TruncatedHeaderError":
        tar.damage = tar.damage or f"the tar ends inside a header at byte {tar.offset}"
    if tar.bad_blocks > MAX_RESYNC_BLOCKS:
        raise ValueError(f"no readable header in {tar.bad_blocks} blocks up to byte {tar.offset}")


def iter_tar(path: str, max_bytes: int) -> Iterator[Member]:
    """Read the images of a tar, plain or compressed, in one pass.

    Webdataset sidecars (captions, classes, JSON) are passed over: a member counts when its name has
    an image extension or its content begins like an image. A member with an absolute or parent
    path, a link or a device is refused with `unsafe_path`. A damaged stretch gives one
    `broken_archive` row, and reading goes on at the next good header.

    Args:
        path: The tar file, or the URL of one in a bucket.
        max_bytes: A larger member is refused unread.

    Yields:
        Members in the tar's order; `source` is `path::member`.

    Raises:
        BucketError: The tar's bucket cannot be read.
    """
    try:
        with (
            open_source(path) as file,
            _GuardedTar.open(
                fileobj=file,
                mode="r|*",
                tarinfo=_GuardedInfo,
                ignore_zeros=True,
                errors="surrogateescape",
            ) as tar,
        ):
            yield from _iter_open(tar, path, max_bytes)
    except _READ_ERRORS as error:
        yield Member(path, _broken(error))


def _iter_open(tar: tarfile.TarFile, path: str, max_bytes: int) -> Iterator[Member]:
    assert isinstance(tar, _GuardedTar)
    members = 0
    while True:
        info = tar.next()
        tar.members = []  # else the index of a large tar stays in memory
        if tar.damage:
            yield Member(path, Reject(RejectReason.BROKEN_ARCHIVE, tar.damage))
            tar.damage = ""
        if info is None:
            break
        members += 1
        member = _read_member(tar, info, path, max_bytes)
        if member:
            yield member
    if not members:
        yield Member(path, Reject(RejectReason.BROKEN_ARCHIVE, "no member at all"))


def _read_member(
    tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, max_bytes: int
) -> Member | None:
    """Read one member; None for a folder, a dot file or a sidecar. Raises what the tar raises."""
    name = info.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    source = f"{path}::{name}"
    why = unsafe_path(info.name)
    if why:
        return Member(source, Reject(RejectReason.UNSAFE_PATH, why))
    if info.isdir():
        return None
    if not info.isreg():
        what = "a link" if info.islnk() or info.issym() else "a device or special member"
        return Member(source, Reject(RejectReason.UNSAFE_PATH, what))
    if is_hidden(info.name):
        return None
    file = tar.extractfile(info)
    assert file is not None  # it is a regular member
    data = _read_image(file, info, max_bytes)
    return Member(source, data) if data is not None else None


def _read_image(file: IO[bytes], info: tarfile.TarInfo, max_bytes: int) -> bytes | Reject | None:
    named = PurePosixPath(info.name).suffix.lower() in IMAGE_EXTENSIONS
    head = b"" if named else file.read(HEAD_BYTES)
    if not named and not is_image(head):
        return None
    if info.size > max_bytes:
        detail = f"{info.size} bytes; the limit is {max_bytes}"
        return Reject(RejectReason.TOO_MANY_BYTES, detail)
    return head + file.read()


def _broken(error: Exception) -> Reject:
    if isinstance(error, OSError) and error.errno is not None:
        return Reject(RejectReason.UNREADABLE, error.strerror or str(error))
    return Reject(RejectReason.BROKEN_ARCHIVE, f"reading ended here: {error}")
