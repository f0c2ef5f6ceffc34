"""The reader of the LanceDB tables, which needs no lock, since each read sees one version.

The files are those of a LanceDB database. They are opened with Lance's own package, whose import
takes a third of the time of LanceDB's. Lance runs threads that do not survive a fork, so use it in
spawned processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, data_path
from rolesynth_assets.store.digests import table_digest
from rolesynth_assets.store.errors import MissingRowError
from rolesynth_assets.store.lance.added_columns import stored_names, with_nulls
from rolesynth_assets.store.lance.files import LanceFiles, projection
from rolesynth_assets.store.lance.rows import all_of, any_key, partition_predicate
from rolesynth_assets.store.lance.schemas import table_spec

if TYPE_CHECKING:
    import lance

Partition = Mapping[str, str]

KEYS_PER_LOOKUP = 512  # keys in one IN list, so that a read is bounded
BATCH_ROWS = 256  # rows of image bytes held at once while streaming, some tens of MB


class StoreReader:
    """The Lance tables under one data root, as listed in `schemas.TABLES`, to read."""

    def __init__(self, root: DataPath | str) -> None:
        """Open the store; nothing is read or created yet.

        Args:
            root: Data root, a folder or the URL of a prefix in a bucket.
        """
        self.root = str(data_path(str(root))).rstrip("/")
        self._files = LanceFiles(self.root)
        self._in_bucket = DataPaths(self.root).in_bucket

    def read(
        self,
        table: str,
        partition: Partition | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        version: int | None = None,
    ) -> pa.Table:
        """Read rows, in no particular order.

        Args:
            table: table name.
            partition: values of some or all partition columns; None reads the whole table.
            columns: columns to load; other columns, such as image bytes, are not read.
            where: a further SQL predicate.
            version: version to read, as `version()` returned it; None is the latest.

        Returns:
            The rows, with the table's schema. A table that was never written to is empty.

        Raises:
            StoreError: a column or partition column does not exist.
            MissingVersionError: the version does not exist, or no longer exists.
        """
        batches = list(self.batches(table, partition, columns, where, version, batch_rows=None))
        return pa.Table.from_batches(batches, schema=projection(table_spec(table), columns))

    def batches(
        self,
        table: str,
        partition: Partition | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        version: int | None = None,
        batch_rows: int | None = BATCH_ROWS,
    ) -> Iterator[pa.RecordBatch]:
        """Stream the rows that `read` returns, `batch_rows` rows at a time."""
        spec = table_spec(table)
        schema = projection(spec, columns)
        predicate = all_of(partition_predicate(spec, partition), where)
        dataset = self._files.open(spec, version)
        if dataset is None:
            return
        scanner = dataset.scanner(
            columns=stored_names(dataset, schema.names),
            filter=predicate,
            batch_size=batch_rows,
            scan_in_order=True,
        )
        for batch in scanner.to_batches():
            yield with_nulls(batch, schema)

    def keys(self, table: str, partition: Partition | None = None) -> set[str]:
        """Return the keys in a partition."""
        key = table_spec(table).key
        return set(self.read(table, partition, [key])[key].to_pylist())

    def values(
        self,
        table: str,
        column: str,
        partition: Partition | None = None,
        version: int | None = None,
    ) -> set[str]:
        """Return the distinct values of a column without loading it as a whole."""
        found: set[str] = set()
        for batch in self.batches(table, partition, [column], None, version, batch_rows=None):
            found.update(batch.column(0).unique().to_pylist())
        return found

    def count(
        self,
        table: str,
        partition: Partition | None = None,
        where: str | None = None,
        version: int | None = None,
    ) -> int:
        """Count rows without loading them."""
        spec = table_spec(table)
        dataset = self._files.open(spec, version)
        if dataset is None:
            return 0
        return dataset.count_rows(all_of(partition_predicate(spec, partition), where))

    def digest(
        self,
        table: str,
        partition: Partition | None = None,
        version: int | None = None,
        where: str | None = None,
    ) -> str:
        """Return the digest of a partition's content, which is its data version in Dagster.

        It depends only on the set of (key, content) rows: not on their order, on the way they were
        written, or on columns outside `content`.
        """
        spec = table_spec(table)
        return table_digest(self.read(table, partition, spec.content, where, version), spec.content)

    def dataset(self, table: str, version: int | None = None) -> lance.LanceDataset | None:
        """Open a table for readers that take a Lance dataset, such as DuckDB and Polars.

        Args:
            table: table name.
            version: version to read; None is the latest.

        Returns:
            The data set, not to be written to; None if the table was never written to.

        Raises:
            MissingVersionError: the version does not exist, or no longer exists.
        """
        return self._files.open(table_spec(table), version)

    def version(self, table: str) -> int:
        """Return the latest version of a table; 0 before the first write."""
        dataset = self._files.open(table_spec(table))
        return 0 if dataset is None else dataset.version

    def versions(self, table: str) -> list[int]:
        """Return the versions of a table that can still be read, the latest first."""
        dataset = self._files.open(table_spec(table))
        listed = [] if dataset is None else [entry["version"] for entry in dataset.versions()]
        return sorted(listed, reverse=True)

    def image_bytes(self, ids: Sequence[str], shard: str) -> dict[str, bytes]:
        """Load the encoded images `ids` of a shard.

        Raises:
            MissingRowError: an image is not in the shard.
        """
        spec = table_spec("images")
        found: dict[str, bytes] = {}
        for start in range(0, len(ids), KEYS_PER_LOOKUP):
            asked = any_key(spec.key, ids[start : start + KEYS_PER_LOOKUP])
            rows = self.read("images", {"shard": shard}, [spec.key, "data"], asked)
            found.update(zip(rows[spec.key].to_pylist(), rows["data"].to_pylist(), strict=True))
        absent = [image for image in ids if image not in found]
        if absent:
            raise MissingRowError(
                f"Table 'images', shard {shard!r}: {len(absent)} of {len(ids)} images are not "
                f"there, such as {absent[0]}. Materialize image_shards for this shard first."
            )
        return found
