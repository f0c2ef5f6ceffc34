"""Lance data sets by their folder or URL: opened if they are there, created once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lance
    import pyarrow as pa


class AlreadyThereError(RuntimeError):
    """Somebody else has created the data set in the meantime."""


def open_dataset(uri: str) -> lance.LanceDataset | None:
    """Open a data set at its latest version; None if it was never written to."""
    import lance

    try:
        return lance.dataset(uri)
    except ValueError as error:
        # Lance has no error class for this; any other error must not look like an empty table
        if "_versions" in str(error) and "Not found" in str(error):
            return None
        raise


def create_dataset(uri: str, rows: pa.Table) -> None:
    """Write the first version of a data set, without automatic clean-up of its versions.

    Raises:
        AlreadyThereError: there is a first version already.
    """
    import lance
    from lance.commit import CommitConflictError

    try:
        lance.write_dataset(rows, uri, mode="create")
    except (OSError, CommitConflictError) as error:
        if isinstance(error, OSError) and "already exists" not in str(error):
            raise
        raise AlreadyThereError(uri) from error
