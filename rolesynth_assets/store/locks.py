"""The locks of those who write to a table.

Lance readers need no lock, since each reads one version. Two writers that add the same keys at the
same time can both commit, and then leave a key twice; two that ask models for the same partition
pay twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.digests import digest
from rolesynth_assets.store.errors import HeldError, StoreError
from rolesynth_assets.store.leases.hold import Hold, held, held_after_waiting

PATIENCE_S = 600.0  # a writer holds its lock longest when it compacts a large table
_log = logging.getLogger("rolesynth")
_PLAIN = re.compile(r"[^A-Za-z0-9]+")


@contextmanager
def writer_lock(root: DataPath | str, table: str, patience_s: float = PATIENCE_S) -> Iterator[Hold]:
    """Hold the write lock of `table` under `root`.

    A killed writer blocks nobody: in a folder the kernel gives the lock back when its process dies,
    in a bucket the lease expires after a minute.

    Args:
        root: Data root, a folder or a URL.
        table: Table name.
        patience_s: Seconds to wait for another writer.

    Raises:
        StoreError: another writer held the lock during that time.
    """
    with _in_words(f"Table {table!r}", patience_s), held(root, table, patience_s, named=False) as h:
        yield h


@contextmanager
def partition_lock(
    root: DataPath | str, table: str, partition: Mapping[str, str], patience_s: float = PATIENCE_S
) -> Iterator[Hold]:
    """Hold the right to make the rows of one partition, so that nobody pays for them twice.

    Args:
        root: Data root, a folder or a URL.
        table: Table name.
        partition: The partition's value of each partition column.
        patience_s: Seconds to wait for whoever makes it.

    Raises:
        StoreError: another process was making it during that time; the message names it.
    """
    values = list(partition.values())
    said = _PLAIN.sub("-", "-".join(values))[:80]
    name = f"{table}/{said}-{digest(*values)[:12]}"
    what = f"Table {table!r}, partition {'|'.join(values)}"

    def say(error: HeldError) -> None:
        if patience_s:
            _log.warning("%s: %s is making it; waiting until it ends", what, error.who)

    with _in_words(what, patience_s), held_after_waiting(root, name, patience_s, say) as hold:
        yield hold


@contextmanager
def _in_words(what: str, patience_s: float) -> Iterator[None]:
    try:
        yield
    except HeldError as error:
        raise StoreError(
            f"{what}: {error.who} has been writing to it for more than {patience_s:.0f} s (lock "
            f"{error.place}). Wait for that run, or end it, and run this again."
        ) from error
