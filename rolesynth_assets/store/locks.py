"""The writer lock of a table.

Lance readers need no lock, since each reads one version. Two writers that merge into the same table
at the same time can both commit, and then leave a key twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.store.errors import StoreError

PATIENCE_S = 600.0  # a writer holds its lock longest when it compacts a large table


@contextmanager
def writer_lock(root: str, table: str, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Hold the write lock of `table` under `root`.

    The kernel gives the lock back when its process dies, so a killed writer blocks nobody.

    Args:
        root: Data root, a folder.
        table: Table name.
        patience_s: Seconds to wait for another writer.

    Raises:
        StoreError: another writer held the lock during that time.
    """
    from filelock import FileLock, Timeout

    path = DataPaths(root).lock(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=patience_s)
    except Timeout as error:
        raise StoreError(
            f"Table {table!r}: another process has been writing to it for more than "
            f"{patience_s:.0f} s (lock {path}). Wait for that run, or end it, and run this again."
        ) from error
    try:
        yield
    finally:
        lock.release()
