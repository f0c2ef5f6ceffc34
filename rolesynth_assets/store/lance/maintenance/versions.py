"""The versions of a Lance table: which are kept, and the clean-up of the others.

A version that something refers to has a Lance tag, `v` and its number. No clean-up removes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from rolesynth_assets.store.errors import MissingVersionError

if TYPE_CHECKING:
    import lance
    from lance.dataset import Version

READ_TIME = timedelta(hours=1)
"""How long a reader may read a version after the next one was written."""
PINNED_SOON = timedelta(days=1)
"""How long a tag is kept that nothing refers to yet: what will refer to it may be in the making."""


def keep(dataset: lance.LanceDataset, version: int) -> None:
    """Tag a version, so that no clean-up removes it; one that is tagged stays so.

    Raises:
        MissingVersionError: the version was cleaned up.
    """
    try:
        dataset.tags.create(f"v{version}", version)
    except ValueError as error:
        if "already exists" not in str(error):
            raise MissingVersionError(
                f"{dataset.uri} has no version {version} to keep ({error}); materialize again."
            ) from error


def kept(dataset: lance.LanceDataset) -> set[int]:
    """Return the tagged versions."""
    return {tag["version"] for tag in dataset.tags.list().values()}


def release(dataset: lance.LanceDataset, needed: Collection[int], after: timedelta) -> None:
    """Remove the tags of versions that are not needed any more.

    Args:
        dataset: the table.
        needed: versions that something refers to.
        after: younger tags are left.
    """
    for name, tag in dataset.tags.list().items():
        if tag["version"] not in needed and _age(tag["created_at"]) >= after:
            with suppress(ValueError):  # somebody else has removed it
                dataset.tags.delete(name)


def superseded(listed: Sequence[Version], held: Collection[int]) -> list[int]:
    """Return the versions without a use: the next version is older than `READ_TIME`.

    Args:
        listed: all versions of the table, as Lance lists them.
        held: the tagged ones.
    """
    ordered = sorted(listed, key=lambda one: one["version"])
    return [
        one["version"]
        for one, following in pairwise(ordered)
        if one["version"] not in held and _age(following["timestamp"]) >= READ_TIME
    ]


def clean_up(dataset: lance.LanceDataset) -> int:
    """Remove superseded versions, and the files that only they used.

    Files that no version uses are left for a week, since a writer may be about to commit them.

    Returns:
        Number of bytes removed from the disk.
    """
    if not (old := superseded(dataset.versions(), kept(dataset))):
        return 0
    done = dataset.cleanup_old_versions(versions=old, error_if_tagged_old_versions=False)
    return done.bytes_removed


def forget_earlier(dataset: lance.LanceDataset, *, alone: bool) -> int:
    """Remove all versions but the latest and the tagged ones, and the files that only they used.

    Args:
        dataset: the table.
        alone: whether no other process writes to the table. Files that no version uses are removed
            too then; else they are left for a week, since a writer may be about to commit them.

    Returns:
        Number of bytes removed from the disk.
    """
    done = dataset.cleanup_old_versions(
        older_than=timedelta(0), delete_unverified=alone, error_if_tagged_old_versions=False
    )
    return done.bytes_removed


def _age(at: object) -> timedelta:
    """Return the age of a time; one without a zone is local, as Lance gives those of versions."""
    assert isinstance(at, datetime)
    return datetime.now(UTC) - at.astimezone(UTC)
