"""The errors of the store; each message names the table and the way out."""

from __future__ import annotations


class StoreError(ValueError):
    """The store was asked for something it cannot do or must not do."""


class SchemaMismatchError(StoreError):
    """Rows do not have the columns or types of their table."""


class DuplicateKeyError(StoreError):
    """One write holds a key twice, so it is unclear which row to store."""


class EmptyReplaceError(StoreError):
    """A partition would be replaced by zero rows, which usually means that a source failed."""


class MissingVersionError(StoreError):
    """The requested version of a table was never written, or was cleaned up."""


class MissingRowError(StoreError):
    """The partition has no row with a requested key."""
