"""The planning of shards: new content of a path, cut into partitions that will never change."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from rolesynth_assets.images.decoding.formats import HEAD_BYTES, IMAGE_EXTENSIONS, is_image
from rolesynth_assets.images.descriptor import (
    NAME_PATTERN,
    ShardDescriptor,
    ShardKind,
    decode_path,
    encode_path,
    is_url,
)
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.places.place import Entry, Source, open_place
from rolesynth_assets.images.readers.parquet_pages import BombError, check_rows
from rolesynth_assets.images.readers.tables import (
    NoImageColumnError,
    is_fault,
    open_parquet,
    pick_column,
)

DEFAULT_SHARD_SIZE = 10_000  # images; Dagster handles some hundred such partitions well
MAX_NAME = 100  # characters
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class NoImagesError(ValueError):
    """A path has no content that could be a shard."""


class UnreadableTableError(ValueError):
    """A parquet file or a Lance dataset cannot be opened."""


@dataclass(frozen=True)
class _Source:
    """The new members of one shard, before it has a key."""

    kind: ShardKind
    uri: str
    members: tuple[str, ...] = ()
    first_row: int = 0
    rows: int | None = None
    column: str | None = None
    version: int | None = None


_OpenTable = Callable[[str, str | None, ContainerLimits], _Source]


def plan_shards(
    path: str | Path,
    name: str,
    registered: Sequence[ShardDescriptor],
    shard_size: int = DEFAULT_SHARD_SIZE,
    *,
    column: str | None = None,
    min_age_s: float = 0.0,
    container: ContainerLimits | None = None,
) -> list[ShardDescriptor]:
    """Describe the content of `path` that is not in registered shards, as new shards.

    A tar is one shard. A parquet file or Lance dataset is cut by rows. The files in and below a
    folder are sorted and cut into shards of at most `shard_size`; a folder may also hold tars,
    parquet files and Lance datasets. Planning again finds nothing new; added files become new
    shards, and registered ones never change. A file of a folder counts if its name has an image
    extension or its content begins like an image; dot files and unfinished downloads do not count.
    A table, file or folder that cannot be read is a member too, and reading it gives the reason.

    The same is true of a URL such as s3://bucket/prefix, except that Lance datasets are not read,
    and that only objects without any extension are recognised by their content.

    Args:
        path: a folder, a tar, a parquet file, a Lance dataset or one image file; or the URL of a
            prefix or of one of the others in a bucket.
        name: start of the shard keys `<name>-0000`: letters, digits, "_", single "." or "-".
        registered: all registered shards, of any name.
        shard_size: most images or rows in a shard.
        column: for parquet and Lance, the column of image bytes; by default it is found by name.
        min_age_s: skip files that changed less than this many seconds ago, so that a sensor does
            not register a file that is still being copied.
        container: bounds on depth and rows.

    Returns:
        New shards, whose numbers continue those of this name; empty if nothing is new.

    Raises:
        FileNotFoundError: the path does not exist.
        NoImagesError: the path holds no image.
        ValueError: `name` is not a valid name, or a table has no image column.
        BucketError: a bucket is missing, refuses access or does not answer.
    """
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > MAX_NAME:
        wanted = f"at most {MAX_NAME} letters, digits and _, with single dots or hyphens between"
        raise ValueError(f"The shard name {name!r} cannot be a partition key; use {wanted}.")
    if shard_size < 1:
        raise ValueError(f"A shard cannot have {shard_size} images; use at least 1.")
    container = container or ContainerLimits()
    source = open_place(path, container.max_depth)
    found = _Found(source, column, container, time.time() - min_age_s if min_age_s > 0 else None)
    known = {
        f"{shard.uri}/{member}"
        for shard in registered
        if shard.kind is ShardKind.FOLDER
        for member in shard.members
    }
    found.look_into(source, known)
    if not found.seen and not found.waiting:
        place = path if is_url(path) else os.path.abspath(path)
        raise NoImagesError(
            f"{place} holds no image: no image file, webdataset tar, parquet file or Lance dataset"
            f"{' (which is read from a local folder alone)' if is_url(path) else ''}."
        )
    sources = found.new_sources(registered, known, shard_size)
    first = _next_number(name, registered)
    return [
        ShardDescriptor(key=f"{name}-{first + number:04d}", name=name, **vars(source))
        for number, source in enumerate(sources)
    ]


class _Found:
    """The containers and image files of a source."""

    def __init__(
        self,
        source: Source,
        column: str | None,
        container: ContainerLimits,
        newest: float | None,
    ) -> None:
        self._container = container
        self.folder = source.folder
        self.column = column
        self.waiting = 0
        self.tars: list[str] = []
        self.members: list[str] = []
        self._tables: list[tuple[_OpenTable, str]] = []
        self._broken: dict[str, UnreadableTableError] = {}  # by member
        self._untold: set[str] = set()  # members whose names do not show whether they are images
        for entry in source.entries(newest):
            self._take(entry)
        # a folder may hold other tables: img2dataset writes a table of metadata beside each tar
        must_fit = source.named or column is not None
        opened = source.each(lambda table: self._open(*table, must_fit), self._tables)
        self.tables = [table for table in opened if isinstance(table, _Source)]
        if source.named and self._broken:
            raise next(iter(self._broken.values()))
        self.members += sorted(self._broken)

    @property
    def seen(self) -> int:
        rows = sum(table.rows or 0 for table in self.tables)
        return len(self.tars) + len(self.members) + rows

    def _take(self, entry: Entry) -> None:
        name = entry.below.lower()
        suffix = PurePosixPath(name).suffix
        if not entry.settled:
            self.waiting += 1
        elif entry.is_lance:
            self._tables.append((_open_lance, entry.uri))
        elif entry.is_closed:
            self.members.append(encode_path(entry.below))
        elif name.endswith(_TAR_SUFFIXES):
            self.tars.append(entry.uri)
        elif suffix == ".parquet":
            self._tables.append((_open_parquet, entry.uri))
        else:
            member = encode_path(entry.below)
            self.members.append(member)
            if suffix not in IMAGE_EXTENSIONS:
                self._untold.add(member)

    def _open(self, open_table: _OpenTable, uri: str, must_fit: bool) -> _Source | None:
        try:
            return open_table(uri, self.column, self._container)
        except NoImageColumnError:
            if must_fit:
                raise
            return None
        except UnreadableTableError as error:
            self._broken[encode_path(uri.removeprefix(f"{self.folder}/"))] = error
            return None

    def look_into(self, source: Source, known: Set[str]) -> None:
        """Drop members of `_untold` that are neither known nor begin like an image."""
        new = [
            name for name in self.members if name in self._untold and self._uri(name) not in known
        ]
        asked = [name for name in new if source.worth_a_look(name)]
        heads = source.each(
            lambda name: source.head(self._uri(decode_path(name)), HEAD_BYTES), asked
        )
        no_images = set(new).difference(
            name for name, head in zip(asked, heads, strict=True) if is_image(head)
        )
        self.members = [name for name in self.members if name not in no_images]

    def new_sources(
        self, registered: Sequence[ShardDescriptor], known: Set[str], shard_size: int
    ) -> Iterator[_Source]:
        known_tars = {shard.uri for shard in registered if shard.kind is ShardKind.TAR}
        yield from (_Source(ShardKind.TAR, uri) for uri in self.tars if uri not in known_tars)
        for table in self.tables:
            yield from _table_sources(table, registered, shard_size)
        new = [name for name in self.members if self._uri(name) not in known]
        for start in range(0, len(new), shard_size):
            members = tuple(new[start : start + shard_size])
            yield _Source(ShardKind.FOLDER, self.folder, members=members)

    def _uri(self, member: str) -> str:
        return f"{self.folder}/{member}"


def _open_parquet(uri: str, column: str | None, container: ContainerLimits) -> _Source:
    import pyarrow as pa

    try:
        with open_parquet(uri) as file:
            check_rows(file, container)
            picked = pick_column(file.schema_arrow, column, uri)
            return _Source(ShardKind.PARQUET, uri, column=picked, rows=file.metadata.num_rows)
    except (OSError, pa.ArrowException, BombError) as error:
        raise UnreadableTableError(
            f"{uri} is not a readable parquet file ({error}); move it away."
        ) from error


def _open_lance(uri: str, column: str | None, container: ContainerLimits) -> _Source:
    import lance

    try:
        dataset = lance.dataset(uri)
        rows, version = dataset.count_rows(), dataset.version
    except BaseException as error:  # panics in Rust are not an `Exception`
        if not is_fault(error):
            raise
        raise UnreadableTableError(
            f"{uri} is not a readable Lance dataset ({error}); move it away."
        ) from error
    if rows > container.max_members:
        raise UnreadableTableError(
            f"{uri} has {rows} rows; the limit is limits.container.max_members"
        )
    picked = pick_column(dataset.schema, column, uri)
    return _Source(ShardKind.LANCE, uri, column=picked, rows=rows, version=version)


def _table_sources(
    table: _Source, registered: Sequence[ShardDescriptor], shard_size: int
) -> Iterator[_Source]:
    """Cut the rows after the last registered one; a Lance dataset appends new rows at its end."""
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
