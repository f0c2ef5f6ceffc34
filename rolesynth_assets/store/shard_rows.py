"""The rows of a role set's table, one shard at a time, for what is computed over all shards."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from rolesynth_assets.store.digests import digest

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.store.lance.reader import StoreReader


class ShardRows:
    """Rows of one version of a table; one shard's are in memory at a time.

    It can be iterated several times, and reads the rows anew each time.

    Attributes:
        version: the version that is read.
        shards: the shards that have rows, sorted.
    """

    def __init__(
        self,
        store: StoreReader,
        table: str,
        role_set: str,
        columns: Sequence[str],
        shards: Collection[str] | None = None,
        version: int | None = None,
    ) -> None:
        """Look which shards have rows.

        Args:
            store: the tables.
            table: a table with the partitions shard and role set.
            role_set: the role set.
            columns: columns to read.
            shards: shards to read; all that have rows if None.
            version: version to read; the latest if None.

        Raises:
            MissingVersionError: the version was cleaned up.
        """
        self._store, self._table, self._role_set = store, table, role_set
        self._columns = list(columns)
        self.version = store.version(table) if version is None else version
        stored = store.values(table, "shard", {"role_set": role_set}, self.version)
        self.shards = sorted(stored if shards is None else stored & set(shards))

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Yield the rows of each shard, in the order of `shards`."""
        import polars as pl

        for shard in self.shards:
            where = {"shard": shard, "role_set": self._role_set}
            rows = self._store.read(self._table, where, self._columns, version=self.version)
            yield pl.DataFrame(rows)

    def digests(self) -> dict[str, str]:
        """Return the digest of each shard's rows, whatever columns are read otherwise."""
        return {
            shard: self._store.digest(
                self._table, {"shard": shard, "role_set": self._role_set}, self.version
            )
            for shard in self.shards
        }

    def digest(self) -> str:
        """Return the digest of all rows, combined from those of the shards."""
        each = self.digests()
        return digest(f"{self._table} by shard", *(part for pair in each.items() for part in pair))
