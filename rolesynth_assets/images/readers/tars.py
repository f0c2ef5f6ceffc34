"""The reader of webdataset tars, which continues after damage and refuses hostile members."""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, Any

from rolesynth_assets.images.decoding.formats import HEAD_BYTES, IMAGE_EXTENSIONS, is_image
from rolesynth_assets.images.decoding.rejects import Reject, RejectReason
from rolesynth_assets.images.limits import ContainerLimits, limits_in_use
from rolesynth_assets.images.places.buckets import open_source
from rolesynth_assets.images.places.paths import is_hidden, unsafe_path
from rolesynth_assets.images.readers.expansion import BombError, Expansion
from rolesynth_assets.images.readers.member import Member, archive_within
from rolesynth_assets.images.readers.unpacking import Unpacked, decompressor_of

MAX_HEADER_BYTES = 2**20  # of a long name or of extended attributes; real ones are below 10 kB
MAX_NESTED = 8  # headers before one member; real tars have a long name and a long link
MAX_SPARSE_BLOCKS = 2**14  # of the map of a sparse member
# after damage the next valid header is searched in at most this much, two of the largest members
MAX_RESYNC_BLOCKS = 256 * 2**20 // tarfile.BLOCKSIZE
READ_ERRORS = (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
_EXTENDED = {
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


class GuardedTar(tarfile.TarFile):
    """A tar that records damage which the standard library ignores.

    Attributes:
        damage: the first damage since it was last cleared.
        end: no member may extend beyond this byte.
    """

    members: list[tarfile.TarInfo]
    damage: str = ""
    bad_blocks: int = 0
    nested: int = 0
    end: int = 0


class GuardedInfo(tarfile.TarInfo):
    """A member's header, read without trusting the sizes and maps in it."""

    is_sparse = False

    @classmethod
    def fromtarfile(cls, tarfile: GuardedTar) -> GuardedInfo:  # type: ignore[override]
        """Read the next header; see `tarfile.TarInfo.fromtarfile`."""
        try:
            info = super().fromtarfile(tarfile)
        except Exception as error:
            _note_damage(tarfile, error)
            raise
        tarfile.bad_blocks = 0
        return info

    # comments in the standard library name the following methods as extension points

    def _proc_member(self, tarfile: GuardedTar) -> tarfile.TarInfo:  # type: ignore[override]
        if self.type in _EXTENDED and not 0 <= self.size <= MAX_HEADER_BYTES:
            raise ValueError(f"a header of {self.size} bytes; the limit is {MAX_HEADER_BYTES}")
        tarfile.nested += 1
        try:
            if tarfile.nested > MAX_NESTED:
                raise ValueError(f"more than {MAX_NESTED} headers before one member")
            info = super()._proc_member(tarfile)  # type: ignore[misc]
        finally:
            tarfile.nested -= 1
        has_data = tarfile.offset > info.offset_data or info.size < 0
        if info.size < 0 or (has_data and info.offset_data + info.size > tarfile.end):
            raise ValueError(
                f"a member of {info.size} bytes at byte {info.offset}, and the tar has at most "
                f"{tarfile.end} bytes"
            )
        return info

    def _proc_pax(self, archive: GuardedTar) -> tarfile.TarInfo:
        """Apply an extended header's path and size, in time linear in its length.

        The method of the standard library searches it with regular expressions in quadratic time,
        and expands the maps of sparse members. The bytes of a member never depend on a global
        header.
        """
        assert archive.fileobj is not None
        fields = _records(archive.fileobj.read(self._block(self.size))[: self.size])  # type: ignore[attr-defined]
        try:
            info = self.fromtarfile(archive)
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from None
        if self.type == tarfile.XGLTYPE:
            return info
        info.offset = self.offset
        info.is_sparse |= any(name.startswith(b"GNU.sparse.") for name in fields)
        path = fields.get(b"GNU.sparse.name") or fields.get(b"path")
        if path is not None:
            info.name = path.decode("utf-8", "surrogateescape").rstrip("/")
        if b"size" in fields:
            info.size = int(fields[b"size"])
            if info.isreg() or info.type not in tarfile.SUPPORTED_TYPES:  # type: ignore[attr-defined]
                archive.offset = info.offset_data + info._block(info.size)  # type: ignore[attr-defined]
        return info

    def _proc_sparse(self, archive: GuardedTar) -> tarfile.TarInfo:
        """Skip the map of a sparse member, which is refused later."""
        file: Any = archive.fileobj
        more, blocks = self._sparse_structs[1], 0  # type: ignore[attr-defined]
        while more:
            block, blocks = file.read(tarfile.BLOCKSIZE), blocks + 1
            if len(block) < tarfile.BLOCKSIZE or blocks > MAX_SPARSE_BLOCKS:
                raise ValueError("the map of a sparse member does not end")
            more = bool(block[504])
        self.is_sparse = True
        self.offset_data = file.tell()
        archive.offset = self.offset_data + self._block(self.size)  # type: ignore[attr-defined]
        return self


def _records(header: bytes) -> dict[bytes, bytes]:
    """Parse an extended header: records of "<length> <name>=<value>" and a line break."""
    fields: dict[bytes, bytes] = {}
    start = 0
    while start < len(header) and header[start] != 0:
        space = header.find(b" ", start, start + 10)
        if space < 0 or not header[start:space].isdigit():
            raise ValueError("an extended header that is no list of records")
        stop = start + int(header[start:space])
        name, equals, value = header[space + 1 : stop].partition(b"=")
        if stop <= space or not equals:
            raise ValueError("an extended header with a record that is none")
        fields[name] = value.removesuffix(b"\n")
        start = stop
    return fields


@contextmanager
def open_tar(file: IO[bytes], limits: ContainerLimits) -> Iterator[GuardedTar]:
    """Open a tar, plain or compressed, for reading its members in order.

    Args:
        file: the tar, seekable and at its beginning.
        limits: bounds on the unpacking of a compressed tar.

    Raises:
        READ_ERRORS: the file is not a tar; reading its members may raise them too.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    make = decompressor_of(file.read(HEAD_BYTES))
    file.seek(0)
    source: Any = Unpacked(file, make, limits) if make else file
    tar = GuardedTar.__new__(GuardedTar)
    tar.end = int(Expansion(size, limits).allowed) if make else size
    tar.__init__(
        fileobj=source,
        mode="r",
        tarinfo=GuardedInfo,
        ignore_zeros=True,
        errors="surrogateescape",
    )
    with tar:
        yield tar


def _note_damage(tar: GuardedTar, error: Exception) -> None:
    kind = type(error).__name__  # these subclasses of tarfile.HeaderError are not public
    if kind == "EOFHeaderError":  # a block of zeros: the end, or the border of two joined tars
        tar.bad_blocks += 1
    elif kind == "InvalidHeaderError":
        tar.bad_blocks += 1
        tar.damage = tar.damage or f"no readable header at byte {tar.offset}"
    elif kind == "TruncatedHeaderError":
        tar.damage = tar.damage or f"the tar ends inside a header at byte {tar.offset}"
    if tar.bad_blocks > MAX_RESYNC_BLOCKS:
        raise ValueError(f"no readable header in {tar.bad_blocks} blocks up to byte {tar.offset}")


def iter_tar(
    path: str, max_bytes: int, container: ContainerLimits | None = None
) -> Iterator[Member]:
    """Read the images of a tar, plain or compressed, in one pass.

    Webdataset sidecars (captions, classes, JSON) are skipped: a member counts if its name has an
    image extension or its content begins like an image. A member with an absolute path or a path
    through a parent folder, a link or a device is refused with `unsafe_path`. A damaged range gives
    one `broken_archive` row, and reading continues at the next valid header. If the tar is a bomb,
    an `archive_bomb` row follows the members that were read before.

    Args:
        path: path of the tar, or its URL in a bucket.
        max_bytes: a larger member is refused unread.
        container: bounds on the whole tar.

    Yields:
        Members in the tar's order; `source` is `path::member`.

    Raises:
        BucketError: the tar's bucket cannot be read.
    """
    container = container or limits_in_use().container
    try:
        with open_source(path) as file, open_tar(file, container) as tar:
            yield from _iter_open(tar, path, max_bytes, container.max_members)
    except READ_ERRORS as error:
        yield Member(path, _broken(error))


def _iter_open(tar: GuardedTar, path: str, max_bytes: int, max_members: int) -> Iterator[Member]:
    members = 0
    while True:
        info = tar.next()
        tar.members = []  # else the index of a large tar would fill the memory
        if tar.damage:
            yield Member(path, Reject(RejectReason.BROKEN_ARCHIVE, tar.damage))
            tar.damage = ""
        if info is None:
            break
        members += 1
        if members > max_members:
            detail = f"more than {max_members} members, limits.container.max_members"
            yield Member(path, Reject(RejectReason.TOO_MANY_MEMBERS, detail))
            return
        member = _read_member(tar, info, path, max_bytes)
        if member:
            yield member
    if not members:
        yield Member(path, Reject(RejectReason.BROKEN_ARCHIVE, "no member at all"))


def _read_member(
    tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, max_bytes: int
) -> Member | None:
    """Read one member; None for a folder, a dot file or a sidecar. Raises the tar's errors."""
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
    if getattr(info, "is_sparse", False):
        return Member(source, Reject(RejectReason.SPARSE_MEMBER, "written with `tar --sparse`"))
    if within := archive_within(info.name):
        return Member(source, within)
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
    if isinstance(error, BombError):
        return Reject(RejectReason.ARCHIVE_BOMB, str(error))
    return Reject(RejectReason.BROKEN_ARCHIVE, f"reading ended here: {error}")
