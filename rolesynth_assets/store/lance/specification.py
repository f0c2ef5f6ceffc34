"""What the store knows of a table: columns, key, partitions, and the tables it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_PRIMARY_KEY = {"lance-schema:unenforced-primary-key": "true"}


def required(name: str, kind: pa.DataType) -> pa.Field:
    """Return a column that has a value in every row."""
    return pa.field(name, kind, nullable=False)


def text(*names: str) -> list[pa.Field]:
    """Return columns of text that have a value in every row."""
    return [required(name, pa.string()) for name in names]


@dataclass(frozen=True)
class TableSpec:
    """What one Lance table holds.

    Attributes:
        name: Table name.
        schema: Columns; `nullable=False` is enforced on every write.
        key: Column that identifies a row within its partition.
        partition_by: Columns that name the partition, the same for all of its rows.
        content: Columns that make a partition's digest, the key first. A column left out (a
            latency, a run id) can change without making anything downstream stale.
        of: Foreign keys: the table whose key a column holds. A row goes with any row that it
            refers to when an image is withdrawn, and a trace follows it.
        joined: Those columns of `of` that hold several keys, joined by spaces.
    """

    name: str
    schema: pa.Schema
    key: str
    partition_by: tuple[str, ...]
    content: tuple[str, ...]
    of: Mapping[str, str] = field(default_factory=dict)
    joined: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that together identify a row of the table."""
        return (self.key, *self.partition_by)

    @property
    def stored_schema(self) -> pa.Schema:
        """The schema on disk, which declares `identity` as the primary key.

        Two merges of the same keys at the same time then leave one row each, also without a lock.
        """
        import pyarrow as pa

        return pa.schema(
            [
                field.with_metadata(_PRIMARY_KEY) if field.name in self.identity else field
                for field in self.schema
            ]
        )

    @property
    def row(self) -> str:
        """What one of its rows is called: `caption` of `captions`."""
        return self.name.removesuffix("s")

    def __post_init__(self) -> None:
        """Refuse a spec that names columns it does not have."""
        unknown = {self.key, *self.partition_by, *self.content, *self.of} - set(self.schema.names)
        if unknown:
            raise ValueError(f"Table {self.name!r} has no column {sorted(unknown)}.")
        if self.content[:1] != (self.key,):
            raise ValueError(f"Table {self.name!r}: the key comes first in `content`.")
        if not set(self.joined) <= set(self.of):
            raise ValueError(f"Table {self.name!r}: each column of `joined` is in `of`.")


def by_name(*specs: TableSpec) -> dict[str, TableSpec]:
    """Return tables by name, each after those that it refers to.

    Raises:
        ValueError: A table refers to one that does not come before it, or has a column with the
            name of another table's key that `of` does not mention.
    """
    tables: dict[str, TableSpec] = {}
    for spec in specs:
        if absent := sorted(set(spec.of.values()) - set(tables)):
            raise ValueError(f"Table {spec.name!r} refers to {absent}, not listed before it.")
        keys = {table.key: name for name, table in tables.items()}
        for column in set(spec.schema.names) & set(keys) - {spec.key, *spec.of}:
            raise ValueError(
                f"Table {spec.name!r}: its column {column!r} is the key of {keys[column]!r}; say "
                f"so in `of`, else its rows outlive a withdrawn image."
            )
        tables[spec.name] = spec
    return tables
