"""Lance data sets by their folder or URL: opened if they are there, created once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rolesynth_assets.files.object_path import ObjectPath
from rolesynth_assets.files.object_store import object_store_options, storage_error

if TYPE_CHECKING:
    import lance
    import pyarrow as pa

RETRIES = "10"
"""How often Lance repeats a request that a bucket refuses for a moment; 3 by default."""
_ABSENT = re.compile(r"Dataset at path .* was not found")
_REQUEST_FAILED = re.compile(r"Generic (S3|GCS|MicrosoftAzure) error|HTTP error")


class AlreadyThereError(RuntimeError):
    """Somebody else has created the data set in the meantime."""


def open_dataset(uri: str) -> lance.LanceDataset | None:
    """Open a data set at its latest version; None if it was never written to.

    Raises:
        StorageError: its bucket cannot be read.
    """
    import lance

    try:
        with requests_explained(uri):
            return lance.dataset(uri, storage_options=storage_options(uri))
    except ValueError as error:
        # Lance has no error class for this; any other error must not look like an empty table
        if _ABSENT.match(str(error)):
            return None
        raise


def create_dataset(uri: str, rows: pa.Table) -> None:
    """Write the first version of a data set, without automatic clean-up of its versions.

    Raises:
        AlreadyThereError: there is a first version already.
        StorageError: its bucket cannot be written.
    """
    import lance
    from lance.commit import CommitConflictError

    try:
        with requests_explained(uri):
            lance.write_dataset(rows, uri, mode="create", storage_options=storage_options(uri))
    except (OSError, CommitConflictError) as error:
        if isinstance(error, OSError) and "already exists" not in str(error):
            raise
        raise AlreadyThereError(uri) from error


def storage_options(uri: str) -> dict[str, str] | None:
    """Return what Lance needs to reach a data set; nothing for a folder."""
    if "://" not in uri:
        return None
    return {"client_max_retries": RETRIES, **object_store_options(uri)}


def bytes_on_disk(uri: str) -> int:
    """Add up the files of a data set; one that a writer removes meanwhile counts nothing."""
    if "://" in uri:
        return sum(size for _, size, _ in ObjectPath.of(uri).listing())
    sizes = 0
    for path in Path(uri).rglob("*"):
        try:
            sizes += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return sizes


@contextmanager
def requests_explained(uri: str) -> Iterator[None]:
    """Turn Lance's errors about requests to a bucket into errors that name it and the way out."""
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        if "://" not in uri or not _REQUEST_FAILED.search(str(error)):
            raise
        raise storage_error(uri, str(error)) from error
