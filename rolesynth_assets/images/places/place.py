"""What stands below a path or a URL: files, objects and Lance datasets, listed the same way."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from rolesynth_assets.images.descriptor import NAME_PATTERN, is_url
from rolesynth_assets.images.places.buckets import READS_AT_ONCE, AccessRefusedError, Bucket
from rolesynth_assets.images.places.paths import is_hidden
from rolesynth_assets.lookahead import in_order

_UNFINISHED = {".part", ".partial", ".tmp", ".crdownload", ".download"}  # still being written
_OTHER = re.compile(r"[^A-Za-z0-9_]+")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Entry:
    """A file, an object or a Lance dataset.

    Attributes:
        below: Its path below the source's `folder`.
        uri: Its absolute path or URL.
        settled: Whether it was written long enough ago.
        is_lance: Whether it is a Lance dataset.
        is_closed: Whether it is a folder that was not looked into.
    """

    below: str
    uri: str
    settled: bool = True
    is_lance: bool = False
    is_closed: bool = False


class Source(Protocol):
    """A place that images come from.

    Attributes:
        folder: Path or URL of the folder that the entries' paths start at.
        named: Whether the user named this one entry, not a folder that it stands in.
    """

    folder: str
    named: bool

    def entries(self, newest: float | None) -> Iterator[Entry]:
        """List what may be images or hold some: no dot files and no unfinished downloads.

        Args:
            newest: Entries written after this, in seconds since the epoch, are not settled.
        """
        ...

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Map a function that reads from the source, as fast as that allows."""
        ...

    def head(self, uri: str, size: int) -> bytes:
        """Read the first `size` bytes; none where that cannot be done."""
        ...

    def worth_a_look(self, below: str) -> bool:
        """Whether to look into an entry without a telling name for an image."""
        ...


def open_place(path: str | Path, max_depth: int) -> Source:
    """Open what a user calls by a path or a URL.

    Args:
        path: A folder, a file or a URL.
        max_depth: Local folders below each other; what lies deeper is listed, not looked into.

    Raises:
        FileNotFoundError: There is no such place.
        ValueError: The URL is of no kind that can be read.
        BucketError: The URL's bucket cannot be read.
    """
    return _Objects(str(path)) if is_url(path) else _Files(Path(os.path.abspath(path)), max_depth)


def place_name(path: str | Path) -> str:
    """Name the shards of a place by its last part, without extension, as a partition key can."""
    place = PurePosixPath(str(path).partition("://")[2]) if is_url(path) else Path(path).resolve()
    name = place.stem
    return (
        name if re.fullmatch(NAME_PATTERN, name) else _OTHER.sub("-", name).strip("-") or "images"
    )


class _Files:
    """Files and Lance datasets below a local folder, or one of them."""

    def __init__(self, root: Path, max_depth: int) -> None:
        if not root.exists():
            raise FileNotFoundError(f"There is no {root}; give a folder, a tar or a parquet file.")
        self.named = not root.is_dir() or _is_lance(root)
        self.folder = str(root.parent if self.named else root)
        self._root, self._max_depth = root, max_depth

    def entries(self, newest: float | None) -> Iterator[Entry]:
        for path in [self._root] if self.named else _walk(self._root, self._max_depth):
            is_lance = _is_lance(path)
            settled = newest is None or is_lance or _written(path) <= newest
            below = str(path.relative_to(self.folder))
            is_closed = not is_lance and os.path.isdir(path)
            yield Entry(below, str(path), settled, is_lance, is_closed)

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return map(function, items)

    def head(self, uri: str, size: int) -> bytes:
        try:
            with open(uri, "rb") as file:
                return file.read(size)
        except OSError:
            return b""

    def worth_a_look(self, below: str) -> bool:
        return True


class _Objects:
    """Objects below a prefix of a bucket, or one of them."""

    def __init__(self, url: str) -> None:
        self._bucket = Bucket(url)
        url = self._bucket.url
        self.folder, self.named = url, False
        try:
            self._listed = self._bucket.listing()
            return
        except (FileNotFoundError, AccessRefusedError):
            pass  # one object may be readable where nothing may be listed
        try:
            self._listed = [(url, self._bucket.written())]
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no {url}; give a prefix or an object.") from None
        self.folder, self.named = url.rpartition("/")[0], True

    def entries(self, newest: float | None) -> Iterator[Entry]:
        for url, written in self._listed:
            below = url.removeprefix(f"{self.folder}/")
            if not is_hidden(below) and PurePosixPath(below).suffix.lower() not in _UNFINISHED:
                yield Entry(below, url, newest is None or written <= newest)

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return in_order(function, items, READS_AT_ONCE)

    def head(self, uri: str, size: int) -> bytes:
        return self._bucket.head(uri, size)

    def worth_a_look(self, below: str) -> bool:
        # a look costs two requests: a name like notes.txt or a Lance dataset's tells enough
        return not PurePosixPath(below).suffix


def _walk(folder: Path, max_depth: int) -> Iterator[Path]:
    """Regular files and Lance datasets below `folder`, in sorted order.

    What cannot be looked into is given as well, so that reading it says why: a folder below too
    many others or without permission, a file whose link leads nowhere but to itself.
    """
    open_folders = [iter(_listed(folder))]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
            continue
        path = Path(entry.path)
        if is_hidden(entry.name) or path.suffix.lower() in _UNFINISHED:
            continue
        try:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder or _is_lance(path):
                if is_folder or entry.is_file():
                    yield path
                continue
            if len(open_folders) > max_depth:
                yield path
                continue
            open_folders.append(iter(_listed(path)))
        except OSError:
            yield path


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _written(path: Path) -> float:
    """When a file was written; the epoch's begin where nobody may know."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _is_lance(path: Path) -> bool:
    try:
        return (path / "_versions").is_dir()
    except OSError:
        return False
