"""A file of a data root in a bucket, with the few names of `pathlib.Path` that the code needs.

A `DataPath` is either: code that reads and replaces whole small files does not ask which. It is no
`os.PathLike`, so that what needs a local file fails at once, and the type checker says so before.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal

from rolesynth_assets.files.cloud_settings import Location, location
from rolesynth_assets.files.object_store import StorageError, explained, open_object_store
from rolesynth_assets.parallel.lookahead import in_order

if TYPE_CHECKING:
    from obstore.store import ObjectStore

STREAM_BYTES = 8 * 2**20  # of a large object per request, so that latency is a small part
STREAMS = 4  # requests for parts of one object at a time
DELETED_AT_ONCE = 1000  # what S3 takes in one request


@dataclass(frozen=True)
class ObjectPath:
    """An object in a bucket, or what its name is a prefix of. Nothing is requested by making one.

    Attributes:
        place: scheme, bucket and key.
    """

    place: Location

    @classmethod
    def of(cls, url: str) -> ObjectPath:
        """Take a URL.

        Raises:
            InputError: it has another form than `s3://bucket/prefix`.
        """
        return cls(location(url))

    def __truediv__(self, name: str | PurePosixPath) -> ObjectPath:
        key = f"{self.place.key}/{name}" if self.place.key else str(name)
        return ObjectPath(Location(self.place.scheme, self.place.bucket, key.strip("/")))

    def __str__(self) -> str:
        return self.place.url

    def __lt__(self, other: ObjectPath) -> bool:
        return str(self) < str(other)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.place.key).name

    @property
    def stem(self) -> str:
        """The name without its last extension."""
        return PurePosixPath(self.place.key).stem

    @property
    def suffix(self) -> str:
        """The last extension."""
        return PurePosixPath(self.place.key).suffix

    def with_suffix(self, suffix: str) -> ObjectPath:
        """Return the path with another last extension."""
        return self.parent / f"{self.stem}{suffix}"

    @property
    def parent(self) -> ObjectPath:
        """The prefix that this lies below."""
        key = self.place.key.rpartition("/")[0]
        return ObjectPath(Location(self.place.scheme, self.place.bucket, key))

    def relative_to(self, above: ObjectPath) -> PurePosixPath:
        """Return the path below a prefix.

        Raises:
            ValueError: this does not lie below it.
        """
        return PurePosixPath(self.place.key).relative_to(above.place.key)

    @cached_property
    def _bucket(self) -> ObjectStore:
        return open_object_store(Location(self.place.scheme, self.place.bucket, "").url)

    def absolute(self) -> ObjectPath:
        """Return the same path: none is relative to a folder."""
        return self

    def is_file(self) -> bool:
        """Whether there is such an object.

        Raises:
            StorageError: the bucket cannot be asked.
        """
        try:
            with explained(str(self)):
                self._bucket.head(self.place.key)
        except FileNotFoundError:
            return False
        return True

    def exists(self) -> bool:
        """Whether there is such an object, or any below it.

        Raises:
            StorageError: the bucket cannot be asked.
        """
        return self.is_file() or next(self.objects(), None) is not None

    def written(self) -> tuple[int, datetime, str]:
        """Return the object's size in bytes, the time of its last write, and its tag.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: the bucket cannot be asked.
        """
        with explained(str(self)):
            meta = self._bucket.head(self.place.key)
        return meta["size"], meta["last_modified"], meta["e_tag"] or ""

    def read_bytes(self) -> bytes:
        """Return the content, for small objects.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: the bucket cannot be read.
        """
        with explained(str(self)):
            return self._bucket.get(self.place.key).bytes().to_bytes()

    def read_text(self, encoding: str = "utf-8") -> str:
        """Return the text; see `read_bytes`."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, content: bytes | memoryview) -> None:
        """Replace the object in one atomic step.

        Raises:
            StorageError: it cannot be written; the old one is as it was.
        """
        with explained(str(self)):
            self._bucket.put(self.place.key, content)

    def create_bytes(self, content: bytes) -> bool:
        """Write the object unless there is one; return whether this call did.

        A call whose first answer was lost may find its own object and return False.

        Raises:
            StorageError: it cannot be written.
        """
        from obstore.exceptions import AlreadyExistsError

        try:
            with explained(str(self)):
                self._bucket.put(self.place.key, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def copy(self, target: ObjectPath) -> None:
        """Copy the object within its bucket, without a download; S3 copies up to 5 GB.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: it cannot be copied.
        """
        with explained(str(self)):
            self._bucket.copy(self.place.key, target.place.key)

    def upload(self, file: Path) -> None:
        """Write the object from a local file, in parts: at most some 60 MiB are in memory.

        Raises:
            StorageError: it cannot be written; the old one is as it was.
        """
        with explained(str(self)):
            self._bucket.put(self.place.key, file)

    def stream(self) -> Iterator[bytes]:
        """Yield the content in parts of `STREAM_BYTES`, as it is at this moment.

        Raises:
            FileNotFoundError: there is no such object, or no more.
            StorageError: the bucket cannot be read, or the object was replaced meanwhile.
        """
        size, _, tag = self.written()

        def part(start: int) -> bytes:
            with explained(str(self)):
                length = min(STREAM_BYTES, size - start)
                return self._bucket.get_range(self.place.key, start=start, length=length).to_bytes()

        yield from in_order(part, range(0, size, STREAM_BYTES), STREAMS)
        if self.written()[2] != tag:
            raise StorageError(f"{self} was replaced while it was read; read it again.")

    def open(self, mode: Literal["rb"] = "rb") -> IO[bytes]:
        """Open the object for reading, in parts that are requested as they are needed.

        Raises:
            FileNotFoundError: there is no such object.
            StorageError: the bucket cannot be read.
        """
        return io.BufferedReader(_Raw(self, self.written()[0]), STREAM_BYTES)

    def objects(self) -> Iterator[ObjectPath]:
        """Yield all objects below this prefix, in the order of their keys.

        Raises:
            StorageError: the bucket cannot be listed.
        """
        for path, _, _ in self.listing():
            yield path

    def listing(self) -> Iterator[tuple[ObjectPath, int, str]]:
        """Yield each object below this prefix with its size and tag, in the order of their keys.

        Raises:
            StorageError: the bucket cannot be listed.
        """
        prefix = f"{self.place.key}/" if self.place.key else None
        with explained(str(self)):
            for chunk in self._bucket.list(prefix):
                for meta in chunk:
                    place = Location(self.place.scheme, self.place.bucket, meta["path"])
                    yield ObjectPath(place), meta["size"], meta["e_tag"] or ""

    def glob(self, pattern: str) -> Iterator[ObjectPath]:
        """Yield the objects below this prefix whose path below it fits, part by part.

        Args:
            pattern: such as `*/seed-*/manifest.json`; `**/` at its beginning fits any depth.

        Raises:
            StorageError: the bucket cannot be listed.
        """
        deep, wanted = pattern.startswith("**/"), pattern.removeprefix("**/").split("/")
        for found in self.objects():
            parts = found.relative_to(self).parts
            tail = parts[-len(wanted) :] if deep else parts
            if len(tail) == len(wanted) and all(map(fnmatchcase, tail, wanted)):
                yield found

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object.

        Raises:
            FileNotFoundError: there is none, and `missing_ok` is false.
            StorageError: the bucket does not let it.
        """
        if not missing_ok:
            self.written()
        self.remove([self])

    def remove(self, objects: list[ObjectPath]) -> None:
        """Remove objects of this bucket; one that is not there is passed over.

        Raises:
            StorageError: the bucket does not let it.
        """
        for start in range(0, len(objects), DELETED_AT_ONCE):
            try:
                with explained(str(self)):
                    some = objects[start : start + DELETED_AT_ONCE]
                    self._bucket.delete([each.place.key for each in some])
            except FileNotFoundError:
                continue


class _Raw(io.RawIOBase):
    """An object with the interface that `io.BufferedReader` needs, and with errors explained."""

    def __init__(self, path: ObjectPath, size: int) -> None:
        self._path, self._size, self._at = path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        with explained(str(self._path)):
            found = self._path._bucket.get_range(
                self._path.place.key, start=self._at, length=length
            ).to_bytes()
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at


DataPath = Path | ObjectPath
"""A file or folder of a data root: local, or in a bucket."""


def below(path: DataPath, root: DataPath) -> str:
    """Return the path below a root, with slashes."""
    if isinstance(path, ObjectPath) and isinstance(root, ObjectPath):
        return str(path.relative_to(root))
    assert isinstance(path, Path) and isinstance(root, Path)
    return path.relative_to(root).as_posix()


def data_path(root: DataPath | str) -> DataPath:
    """Return a path of a folder or the URL of a bucket; `file://` is a folder.

    Raises:
        InputError: the URL names no bucket, or has options in it.
    """
    if not isinstance(root, str):
        return root
    if root.startswith("file://"):
        return Path(root.removeprefix("file://"))
    return ObjectPath.of(root) if "://" in root else Path(root)
