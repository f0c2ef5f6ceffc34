"""The planning of shards: new content of a path, cut into partitions that will never change."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
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
from rolesynth_assets.images.limits import ContainerLimits, limits_in_use
from rolesynth_assets.images.places.place import Entry, Source, open_place
from rolesynth_assets.images.readers.columns import NoImageColumnError, SeveralColumnsError
from rolesynth_assets.images.shards.table_sources import (
    ShardSource,
    UnreadableTableError,
    cut_rows,
    lance_source,
    parquet_source,
)

DEFAULT_SHARD_SIZE = 10_000  # images; Dagster handles some hundred such partitions well
MAX_NAME = 100  # characters
_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_UNREAD = (".tar.zst", ".7z", ".rar", ".arrow", ".feather", ".tfrecord", ".h5", ".hdf5", ".npz")
"""Extensions of containers that may hold images and are not read."""


class NoImagesError(ValueError):
    """A path has no content that could be a shard."""


@dataclass(frozen=True)
class PlanRules:
    """How the content of a path becomes shards.

    Attributes:
        shard_size: most images or rows in a shard.
        column: for parquet and Lance, the column of image bytes; by default it is found by name.
        min_age_s: skip files that changed less than this many seconds ago, so that a sensor does
            not register a file that is still being copied.
        container: bounds on depth and rows; the project's by default.
    """

    shard_size: int = DEFAULT_SHARD_SIZE
    column: str | None = None
    min_age_s: float = 0.0
    container: ContainerLimits | None = None


_OpenTable = Callable[[str, str | None, ContainerLimits], ShardSource]


def plan_shards(
    path: str | Path,
    name: str,
    registered: Sequence[ShardDescriptor],
    rules: PlanRules | None = None,
    *,
    left_out: list[str] | None = None,
) -> list[ShardDescriptor]:
    """Describe the content of `path` that is not in registered shards, as new shards.

    A tar or zip is one shard. A parquet file or Lance dataset is cut by rows. The files in and
    below a folder are sorted and cut into shards of at most `shard_size`; a folder may also hold
    tars, zips, parquet files and Lance datasets. Planning again finds nothing new; added files
    become new shards, and registered ones never change. A file of a folder counts if its name has
    an image extension or its content begins like an image; dot files and unfinished downloads do
    not count.
    A table, file or folder that cannot be read is a member too, and so is a link that leads to
    nothing; reading it gives the reason.

    The same is true of a URL such as s3://bucket/prefix, except that Lance datasets are not read,
    and that only objects without any extension are recognised by their content.

    Args:
        path: a folder, a tar, a parquet file, a Lance dataset or one image file; or the URL of a
            prefix or of one of the others in a bucket.
        name: start of the shard keys `<name>-0000`: letters, digits, "_", single "." or "-".
        registered: all registered shards, of any name.
        rules: how its content becomes shards; the defaults if left out.
        left_out: gets a sentence for each container that is not read: a table without a column of
            images or with several, an archive of another kind.

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
    rules = rules or PlanRules()
    if rules.shard_size < 1:
        raise ValueError(f"A shard cannot have {rules.shard_size} images; use at least 1.")
    container = rules.container or limits_in_use().container
    source = open_place(path, container.max_depth)
    newest = time.time() - rules.min_age_s if rules.min_age_s > 0 else None
    found = _Found(source, rules.column, _columns(registered), container, newest)
    known = {
        f"{shard.uri}/{member}"
        for shard in registered
        if shard.kind is ShardKind.FOLDER
        for member in shard.members
    }
    found.look_into(source, known)
    if left_out is not None:
        left_out += found.left_out
    if not found.seen and not found.waiting:
        place = path if is_url(path) else os.path.abspath(path)
        raise NoImagesError(
            f"{place} holds no image: no image file, tar, zip, parquet file or Lance dataset"
            f"{' (which is read from a local folder alone)' if is_url(path) else ''}."
            f"{''.join(f' {said}' for said in found.left_out)}"
        )
    sources = found.new_sources(registered, known, rules.shard_size)
    first = next_number(name, registered)
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
        columns: Mapping[str, set[str]],
        container: ContainerLimits,
        newest: float | None,
    ) -> None:
        self._container = container
        self._columns = columns
        self.folder = source.folder
        self.column = column
        self.waiting = 0
        self.archives: list[ShardSource] = []
        self.left_out: list[str] = []
        self.members: list[str] = []
        self._tables: list[tuple[_OpenTable, str]] = []
        self._broken: dict[str, UnreadableTableError] = {}  # by member
        self._untold: set[str] = set()  # members whose names do not show whether they are images
        for entry in source.entries(newest):
            self._take(entry)
        self._misfits: list[NoImageColumnError] = []
        opened = source.each(lambda table: self._open(*table), self._tables)
        self.tables = [table for tables in opened for table in tables]
        if self._misfits and (source.named or (column and not self.tables)):
            raise self._misfits[0]
        if source.named and self._broken:
            raise next(iter(self._broken.values()))
        self.members += sorted(self._broken)

    @property
    def seen(self) -> int:
        rows = sum(table.rows or 0 for table in self.tables)
        return len(self.archives) + len(self.members) + rows

    def _take(self, entry: Entry) -> None:
        name = entry.below.lower()
        suffix = PurePosixPath(name).suffix
        if not entry.settled:
            self.waiting += 1
        elif entry.is_lance:
            self._tables.append((lance_source, entry.uri))
        elif entry.is_closed:
            named = not suffix or suffix in IMAGE_EXTENSIONS
            if named or os.path.isdir(entry.uri) or not os.path.islink(entry.uri):
                self.members.append(encode_path(entry.below))
            else:
                self.left_out.append(f"{entry.uri} is left out: a link that leads to nothing.")
        elif name.endswith(_TAR_SUFFIXES):
            self.archives.append(ShardSource(ShardKind.TAR, entry.uri))
        elif suffix == ".zip":
            self.archives.append(ShardSource(ShardKind.ZIP, entry.uri))
        elif suffix == ".parquet":
            self._tables.append((parquet_source, entry.uri))
        elif name.endswith(_UNREAD):
            self.left_out.append(f"{entry.uri} is left out: {suffix} is not read.")
        else:
            member = encode_path(entry.below)
            self.members.append(member)
            if suffix not in IMAGE_EXTENSIONS:
                self._untold.add(member)

    def _open(self, open_table: _OpenTable, uri: str) -> list[ShardSource]:
        asked = [self.column] if self.column else sorted(self._columns.get(uri, ())) or [None]
        try:
            return [open_table(uri, column, self._container) for column in asked]
        except NoImageColumnError as error:
            self._misfits.append(error)
            stem = uri.removesuffix(".parquet")
            beside = any(archive.uri == f"{stem}.tar" for archive in self.archives)
            # img2dataset writes a table of metadata beside each tar
            if not beside or isinstance(error, SeveralColumnsError):
                self.left_out.append(f"Left out: {error}")
            return []
        except UnreadableTableError as error:
            self._broken[encode_path(uri.removeprefix(f"{self.folder}/"))] = error
            return []

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
    ) -> Iterator[ShardSource]:
        archives = {
            shard.uri for shard in registered if shard.kind in (ShardKind.TAR, ShardKind.ZIP)
        }
        yield from (archive for archive in self.archives if archive.uri not in archives)
        for table in self.tables:
            yield from cut_rows(table, registered, shard_size)
        new = [name for name in self.members if self._uri(name) not in known]
        for start in range(0, len(new), shard_size):
            members = tuple(new[start : start + shard_size])
            yield ShardSource(ShardKind.FOLDER, self.folder, members=members)

    def _uri(self, member: str) -> str:
        return f"{self.folder}/{member}"


def _columns(registered: Sequence[ShardDescriptor]) -> dict[str, set[str]]:
    """Return the columns of each registered table."""
    columns: dict[str, set[str]] = {}
    for shard in registered:
        if shard.column:
            columns.setdefault(shard.uri, set()).add(shard.column)
    return columns


def next_number(name: str, registered: Sequence[ShardDescriptor]) -> int:
    """Return the number of the next shard of a name."""
    numbers = [int(shard.key.rsplit("-", 1)[1]) for shard in registered if shard.name == name]
    return max(numbers, default=-1) + 1
