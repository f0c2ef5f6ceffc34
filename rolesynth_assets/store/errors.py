"""What the store refuses to do. Every message says to which table, and the way out."""

from __future__ import annotations


class StoreError(ValueError):
    """The store was asked for something it cannot do or must not do."""


class SchemaMismatchError(StoreError):
    """Rows do not have the columns or types of their table."""


class DuplicateKeyError(StoreError):
    """One write holds the same key twice, so which row is meant cannot be known."""


class EmptyReplaceError(StoreError):
    """A partition would be replaced by nothing, which is mostly a source that failed."""


class MissingVersionError(StoreError):
    """A version of a table was asked for that was never written, or was cleaned up."""


class MissingRowError(StoreError):
    """A row was asked for by its key and is not in the partition."""
