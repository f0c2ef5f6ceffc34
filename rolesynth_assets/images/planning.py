"""From a path to shards: what is new there, cut into partitions that will never change."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rolesynth_assets.images.columns import NoImageColumnError, pick_column
from rolesynth_assets.images.descriptor import (
    NAME_PATTERN,
    ShardDescriptor,
    ShardKind,
    encode_path,
)
from rolesynth_assets.images.formats import HEAD_BYTES, IMAGE_EXTENSIONS, is_image
from rolesynth_assets.images.readers import is_hidden

DEFAULT_SHARD_SIZE = 10_000  # images; Dagster is at ease with some hundred partitions of this size
MAX_NAME = 100  # characters
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_UNFINISHED = {".part", ".partial", ".tmp", ".crdownload", ".download"}  # still being written


class NoImagesError(ValueError):
    """A path holds nothing that could be a shard."""


@dataclass(frozen=True)
class _Source:
    """A stretch of new members, before it has a key."""

    kind: ShardKind
    uri: str
    members: tuple[str, ...] = ()
    first_row: int = 0
    rows: int | None = None
    column: str | None = None
    version: int | None = None


def plan_shards(
    path: str | Path,
    name: str,
    registered: Sequence[ShardDescriptor],
    shard_size: int = DEFAULT_SHARD_SIZE,
    *,
    column: str | None = None,
    min_age_s: float = 0.0,
) -> list[ShardDescriptor]:
    """Describe what `path` holds beyond the registered shards, as new shards.

    A tar is one shard. A parquet file or Lance dataset is cut by rows. Files of a folder and below
    it, in sorted order, are cut into shards of at most `shard_size`; a folder may also hold tars,
    parquet files and Lance datasets. Planning again finds nothing new; added files become new
    shards, and registered ones never change. A file of a folder counts when its name has an image
    extension or its content begins like an image; dot files and unfinished downloads do not.

    Args:
        path: A folder, a tar, a parquet file, a Lance dataset or one image file.
        name: Start of the shard keys `<name>-0000`: letters, digits, "_", single "." or "-".
        registered: All registered shards, of any name.
        shard_size: Images or rows a shard.
        column: Parquet and Lance: the column of image bytes; found by its name when None.
        min_age_s: Pass over files changed less than this many seconds ago, so that a sensor does
            not register a file that is still being copied.

    Returns:
        New shards, numbered on from the registered ones of this name; empty when nothing is new.

    Raises:
        FileNotFoundError: There is no such path.
        NoImagesError: The path holds no image.
        ValueError: `name` does not fit, or a table has no image column.
    """
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > MAX_NAME:
        wanted = f"at most {MAX_NAME} letters, digits and _, with single dots or hyphens between"
        raise ValueError(f"The shard name {name!r} cannot be a partition key; use {wanted}.")
    if shard_size < 1:
        raise ValueError(f"A shard of {shard_size} images is none; use at least 1.")
    root = Path(os.path.abspath(path))
    if not root.exists():
        raise FileNotFoundError(f"There is no {root}; give a folder, a tar or a parquet file.")
    newest = time.time() - min_age_s if min_age_s > 0 else None
    found = _Found(column, newest)
    found.visit(root)
    if not found.seen and not found.waiting:
        raise NoImagesError(
            f"{root} holds no image: no image file, webdataset tar, parquet file or Lance dataset."
        )
    sources = found.new_sources(registered, shard_size)
    first = _next_number(name, registered)
    return [
        ShardDescriptor(key=f"{name}-{first + number:04d}", name=name, **vars(source))
        for number, source in enumerate(sources)
    ]


class _Found:
    """The containers and image files below a path."""

    def __init__(self, column: str | None, newest: float | None) -> None:
        self.column = column
        self.newest = newest  # modification time, seconds since the epoch
        self.waiting = 0
        self.tars: list[str] = []
        self.tables: list[_Source] = []
        self.folder = ""
        self.members: list[str] = []

    @property
    def seen(self) -> int:
        rows = sum(table.rows or 0 for table in self.tables)
        return len(self.tars) + len(self.members) + rows

    def visit(self, root: Path) -> None:
        if root.is_dir() and not _is_lance(root):
            self.folder = str(root)
            for below in _walk(root, root):
                self._take(root / below, below)
        else:
            self.folder = str(root.parent)
            self._take(root, root.name, named=True)

    def _take(self, path: Path, below: str, named: bool = False) -> None:
        if path.is_dir():
            self._take_table(_open_lance, path, named)
        elif self.newest is not None and path.stat().st_mtime > self.newest:
            self.waiting += 1
        elif path.name.lower().endswith(_TAR_SUFFIXES):
            self.tars.append(str(path))
        elif path.suffix.lower() == ".parquet":
            self._take_table(_open_parquet, path, named)
        elif path.suffix.lower() in IMAGE_EXTENSIONS or is_image(_head(path)):
            self.members.append(encode_path(below))

    def _take_table(
        self, open_table: Callable[[str, str | None], _Source], path: Path, named: bool
    ) -> None:
        try:
            self.tables.append(open_table(str(path), self.column))
        except NoImageColumnError:
            # a folder may hold other tables: img2dataset writes one of metadata beside each tar
            if named or self.column:
                raise

    def new_sources(
        self, registered: Sequence[ShardDescriptor], shard_size: int
    ) -> Iterator[_Source]:
        known_tars = {shard.uri for shard in registered if shard.kind is ShardKind.TAR}
        yield from (_Source(ShardKind.TAR, uri) for uri in self.tars if uri not in known_tars)
        for table in self.tables:
            yield from _table_sources(table, registered, shard_size)
        known = {
            os.path.join(shard.uri, member)
            for shard in registered
            if shard.kind is ShardKind.FOLDER
            for member in shard.members
        }
        new = [name for name in self.members if os.path.join(self.folder, name) not in known]
        for start in range(0, len(new), shard_size):
            members = tuple(new[start : start + shard_size])
            yield _Source(ShardKind.FOLDER, self.folder, members=members)


def _walk(folder: Path, root: Path) -> Iterator[str]:
    """Regular files and Lance datasets below `folder`, in sorted order, relative to `root`."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = Path(entry.path)
        if is_hidden(entry.name) or path.suffix.lower() in _UNFINISHED:
            continue
        if entry.is_dir(follow_symlinks=False) and not _is_lance(path):
            yield from _walk(path, root)
        elif entry.is_file() or entry.is_dir(follow_symlinks=False):
            yield str(path.relative_to(root))


def _is_lance(path: Path) -> bool:
    return (path / "_versions").is_dir()


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _open_parquet(uri: str, column: str | None) -> _Source:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(uri)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{uri} is no readable parquet file ({error}); move it away.") from error
    with file:
        picked = pick_column(file.schema_arrow, column, uri)
        return _Source(ShardKind.PARQUET, uri, column=picked, rows=file.metadata.num_rows)


def _open_lance(uri: str, column: str | None) -> _Source:
    import lance

    dataset = lance.dataset(uri)
    picked = pick_column(dataset.schema, column, uri)
    rows, version = dataset.count_rows(), dataset.version
    return _Source(ShardKind.LANCE, uri, column=picked, rows=rows, version=version)


def _table_sources(
    table: _Source, registered: Sequence[ShardDescriptor], shard_size: int
) -> Iterator[_Source]:
    """Cut the rows after the last registered one; new rows of a Lance dataset come at its end."""
    rows = table.rows or 0
    ends = [
        shard.first_row + (shard.rows or 0)
        for shard in registered
        if shard.uri == table.uri and shard.kind is table.kind
    ]
    for first in range(max(ends, default=0), rows, shard_size):
        yield replace(table, first_row=first, rows=min(shard_size, rows - first))


def _next_number(name: str, registered: Sequence[ShardDescriptor]) -> int:
    numbers = [int(shard.key.rsplit("-", 1)[1]) for shard in registered if shard.name == name]
    return max(numbers, default=-1) + 1
