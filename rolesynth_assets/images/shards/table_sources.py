"""Parquet files and Lance datasets as sources of shards: opened, checked and cut by rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rolesynth_assets.images.descriptor import ShardDescriptor, ShardKind
from rolesynth_assets.images.limits import ContainerLimits
from rolesynth_assets.images.readers.columns import pick_column
from rolesynth_assets.images.readers.expansion import BombError
from rolesynth_assets.images.readers.parquet_pages import check_row_count, check_rows
from rolesynth_assets.images.readers.tables import is_fault, lance_bytes, open_parquet


class UnreadableTableError(ValueError):
    """A parquet file or a Lance dataset cannot be opened."""


@dataclass(frozen=True)
class ShardSource:
    """The new members of one shard, before it has a key."""

    kind: ShardKind
    uri: str
    members: tuple[str, ...] = ()
    first_row: int = 0
    rows: int | None = None
    column: str | None = None
    version: int | None = None


def parquet_source(uri: str, column: str | None, container: ContainerLimits) -> ShardSource:
    """Open a parquet file as one source.

    Raises:
        UnreadableTableError: it cannot be read, or has too many rows.
        NoImageColumnError: it has no column of images, or several.
        BucketError: its bucket cannot be read.
    """
    import pyarrow as pa

    try:
        with open_parquet(uri) as file:
            check_rows(file, container)
            picked = pick_column(file.schema_arrow, column, uri)
            return ShardSource(ShardKind.PARQUET, uri, column=picked, rows=file.metadata.num_rows)
    except (OSError, pa.ArrowException, BombError) as error:
        raise UnreadableTableError(
            f"{uri} is not a readable parquet file ({error}); move it away."
        ) from error


def lance_source(uri: str, column: str | None, container: ContainerLimits) -> ShardSource:
    """Open a Lance dataset as one source.

    Raises:
        UnreadableTableError: it cannot be read, or has too many rows.
        NoImageColumnError: it has no column of images, or several.
    """
    import lance

    try:
        dataset = lance.dataset(uri)
        rows, version, schema = dataset.count_rows(), dataset.version, dataset.schema
    except BaseException as error:  # panics in Rust are not an `Exception`
        if not is_fault(error):
            raise
        raise UnreadableTableError(
            f"{uri} is not a readable Lance dataset ({error}); move it away."
        ) from error
    try:
        check_row_count(rows, lance_bytes(uri), container)
    except BombError as error:
        raise UnreadableTableError(f"{uri} is not read: {error}.") from error
    picked = pick_column(schema, column, uri)
    return ShardSource(ShardKind.LANCE, uri, column=picked, rows=rows, version=version)


def cut_rows(
    table: ShardSource, registered: Sequence[ShardDescriptor], shard_size: int
) -> Iterator[ShardSource]:
    """Cut the rows after the last registered one; a Lance dataset appends new rows at its end."""
    rows = table.rows or 0
    ends = [
        shard.first_row + (shard.rows or 0)
        for shard in registered
        if (shard.uri, shard.kind, shard.column) == (table.uri, table.kind, table.column)
    ]
    for first in range(max(ends, default=0), rows, shard_size):
        yield replace(table, first_row=first, rows=min(shard_size, rows - first))
