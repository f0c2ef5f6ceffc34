"""The errors of the store; each message names the table and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rolesynth_assets.store.leases.holder import Holder


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


class HeldError(StoreError):
    """Another process holds a right and does not give it back.

    Attributes:
        place: the lock file, or the object of the lease.
        holder: that process, where it is known.
    """

    def __init__(self, place: str, holder: Holder | None) -> None:
        """Name the place and the holder."""
        self.place, self.holder = place, holder
        super().__init__(f"{self.who} holds {place}. Wait for it, or end it, and run this again.")

    @property
    def who(self) -> str:
        """The holder, in words."""
        return "another process" if self.holder is None else str(self.holder)


class LostLeaseError(StoreError):
    """This process held a right that has expired; it must not write any more."""
