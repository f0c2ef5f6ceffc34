"""The content of a path or a URL: files, objects and Lance datasets in one form of listing."""

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
from rolesynth_assets.images.places.walk import UNFINISHED, is_dangling, is_lance, walk
from rolesynth_assets.parallel.lookahead import in_order

_OTHER = re.compile(r"[^A-Za-z0-9_]+")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Entry:
    """A file, an object or a Lance dataset.

    Attributes:
        below: path below the source's `folder`.
        uri: absolute path or URL.
        settled: whether it was written long enough ago.
        is_lance: whether it is a Lance dataset.
        is_closed: whether it is a folder that was not listed, or a link that leads to nothing.
    """

    below: str
    uri: str
    settled: bool = True
    is_lance: bool = False
    is_closed: bool = False


class Source(Protocol):
    """A place that images come from.

    Attributes:
        folder: path or URL of the folder to which the entries' paths are relative.
        named: whether the user named this one entry, not a folder that contains it.
    """

    folder: str
    named: bool

    def entries(self, newest: float | None) -> Iterator[Entry]:
        """List all entries that may be or contain images, except dot files and partial downloads.

        Args:
            newest: entries written after this time, in seconds since the epoch, are not settled.
        """
        ...

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Map a function that reads from the source, with as many threads as suit the source."""
        ...

    def head(self, uri: str, size: int) -> bytes:
        """Read the first `size` bytes; none if they cannot be read."""
        ...

    def worth_a_look(self, below: str) -> bool:
        """Whether to read the first bytes of an entry whose name does not show what it is."""
        ...


def open_place(path: str | Path, max_depth: int) -> Source:
    """Open the place of a path or a URL.

    Args:
        path: a folder, a file or a URL.
        max_depth: deepest nesting of local folders; deeper folders are entries that are not listed.

    Raises:
        FileNotFoundError: the place does not exist.
        ValueError: the URL has an unsupported scheme or form.
        BucketError: the URL's bucket cannot be read.
    """
    return _Objects(str(path)) if is_url(path) else _Files(Path(os.path.abspath(path)), max_depth)


def place_name(path: str | Path) -> str:
    """Return a name for the shards of a place: its last part without extension, as a valid key."""
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
        self.named = not root.is_dir() or is_lance(root)
        self.folder = str(root.parent if self.named else root)
        self._root, self._max_depth = root, max_depth

    def entries(self, newest: float | None) -> Iterator[Entry]:
        for path in [self._root] if self.named else walk(self._root, self._max_depth):
            lance = is_lance(path)
            settled = newest is None or lance or _written(path) <= newest
            below = str(path.relative_to(self.folder))
            is_closed = not lance and (os.path.isdir(path) or is_dangling(path))
            yield Entry(below, str(path), settled, lance, is_closed)

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
            pass  # one object may be readable even if nothing may be listed
        try:
            self._listed = [(url, self._bucket.written())]
        except FileNotFoundError:
            raise FileNotFoundError(f"There is no {url}; give a prefix or an object.") from None
        self.folder, self.named = url.rpartition("/")[0], True

    def entries(self, newest: float | None) -> Iterator[Entry]:
        for url, written in self._listed:
            below = url.removeprefix(f"{self.folder}/")
            if not is_hidden(below) and PurePosixPath(below).suffix.lower() not in UNFINISHED:
                yield Entry(below, url, newest is None or written <= newest)

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return in_order(function, items, READS_AT_ONCE)

    def head(self, uri: str, size: int) -> bytes:
        return self._bucket.head(uri, size)

    def worth_a_look(self, below: str) -> bool:
        # reading takes two requests, and a name such as notes.txt shows that it is not an image
        return not PurePosixPath(below).suffix


def _written(path: Path) -> float:
    """Return the time of a file's last write; 0 if it cannot be read."""
    try:
        return (path.lstat() if is_dangling(path) else path.stat()).st_mtime
    except OSError:
        return 0.0
