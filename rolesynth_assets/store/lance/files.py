"""The files of the Lance tables, and how a table is opened."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

import pyarrow as pa

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.errors import MissingVersionError, SchemaMismatchError, StoreError
from rolesynth_assets.store.lance.added_columns import bring_up_to_date
from rolesynth_assets.store.lance.datasets import AlreadyThereError, create_dataset, open_dataset
from rolesynth_assets.store.lance.specification import TableSpec
from rolesynth_assets.store.locks import writer_lock
from rolesynth_assets.store.table_identity import renew_identity

if TYPE_CHECKING:
    import lance


class LanceFiles:
    """The files of the LanceDB database `<root>/lance`, one folder a table."""

    def __init__(self, root: str) -> None:
        self._root = root

    def uri(self, spec: TableSpec) -> str:
        """Where LanceDB keeps a table."""
        return DataPaths(self._root).lance_table(spec.name)

    def create(self, spec: TableSpec, rows: pa.Table) -> bool:
        """Write the first version of a table; return whether this was the first.

        In a folder the caller holds the writer lock. The table has its new id before anybody can
        write to it and note the id.
        """
        keyed = pa.table(rows.columns, schema=spec.stored_schema)
        in_bucket = DataPaths(self._root).in_bucket
        with writer_lock(self._root, f"{spec.name}-first") if in_bucket else nullcontext():
            if in_bucket and open_dataset(self.uri(spec)) is not None:
                return False
            renew_identity(self._root, spec.name)
            try:
                create_dataset(self.uri(spec), keyed)
            except AlreadyThereError:
                return False  # somebody writes without the writer lock
        return True

    def extend(self, dataset: lance.LanceDataset, rows: pa.Table) -> lance.LanceDataset:
        """Add rows whose keys are known to be new."""
        import lance

        return lance.write_dataset(rows, dataset, mode="append")

    def open(self, spec: TableSpec, version: int | None = None) -> lance.LanceDataset | None:
        """Open a table at `version` or at its latest; None if it was never written to.

        Raises:
            MissingVersionError: the version does not exist.
            SchemaMismatchError: the table was written with other columns. A nullable column may be
                missing from it (`added_columns`).
        """
        latest = None if version == 0 else self._open_latest(spec)
        if version in (None, 0) or (latest is not None and latest.version == version):
            return latest
        if latest is not None:
            with suppress(ValueError, OSError):
                return latest.checkout_version(version)
        newest = latest.version if latest is not None else 0
        raise MissingVersionError(
            f"Table {spec.name!r} has no version {version}; the newest is {newest}. It was cleaned "
            "up or written under another data root: restore it, or materialize again."
        )

    def open_to_write(self, spec: TableSpec) -> lance.LanceDataset | None:
        """Open a table at its latest version, with all columns; the caller holds the writer lock.

        Raises:
            SchemaMismatchError: the table was written with other columns.
        """
        dataset = self.open(spec)
        return None if dataset is None else bring_up_to_date(spec, dataset)

    def _open_latest(self, spec: TableSpec) -> lance.LanceDataset | None:
        dataset = open_dataset(self.uri(spec))
        if dataset is not None:
            _refuse_other_schema(spec, dataset.schema)
        return dataset


def projection(spec: TableSpec, columns: Sequence[str] | None) -> pa.Schema:
    """Return the schema of `columns`; None means all columns.

    Raises:
        StoreError: the table lacks one of the columns.
    """
    if columns is None:
        return spec.schema
    unknown = [column for column in columns if column not in spec.schema.names]
    if unknown:
        raise StoreError(
            f"Table {spec.name!r} has no column {', '.join(unknown)}; "
            f"it has {', '.join(spec.schema.names)}."
        )
    return pa.schema([spec.schema.field(column) for column in columns])


def _refuse_other_schema(spec: TableSpec, stored: pa.Schema) -> None:
    """Raise when the table on disk was written with other columns."""
    for field in spec.schema:
        index = stored.get_field_index(field.name)
        if index < 0 and field.nullable:
            continue
        if index < 0 or stored.field(index).type != field.type:
            found = "missing" if index < 0 else f"{stored.field(index).type}"
            raise SchemaMismatchError(
                f"Table {spec.name!r}, column {field.name!r}: is {found} on disk but {field.type} "
                "in this version of rolesynth_assets. Move the table's folder away and "
                "materialize it again, or use the version that wrote it."
            )
