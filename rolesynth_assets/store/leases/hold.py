"""The right of one process at a time: a file lock in a folder, a lease in a bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.object_path import DataPath, ObjectPath
from rolesynth_assets.store.errors import HeldError
from rolesynth_assets.store.leases.holder import Holder
from rolesynth_assets.store.leases.object_lease import take


class Hold(Protocol):
    """A right that this process holds."""

    def check(self) -> None:
        """Raise a `LostLeaseError` if another process may hold the right by now."""
        ...


class _Kept:
    """A file lock, which the kernel takes from nobody who lives."""

    def check(self) -> None:
        return None


KEPT: Hold = _Kept()


@contextmanager
def held(
    root: DataPath | str, name: str, patience_s: float, *, named: bool = True
) -> Iterator[Hold]:
    """Hold a right below a data root.

    The right of a process that dies is free: at once in a folder, where the kernel gives the lock
    back, and after a minute in a bucket (`object_lease.EXPIRY_S`).

    Args:
        root: the data root, a folder or a URL.
        name: name of the right; parts are separated by slashes.
        patience_s: longest time to wait for whoever holds it, s.
        named: whether the error names the process that holds it; a little slower in a
            folder.

    Raises:
        HeldError: another process holds it all the time.
    """
    paths = DataPaths(root)
    if not paths.in_bucket:
        with _locked(paths.lock(name), patience_s, named=named):
            yield KEPT
        return
    place = paths.lease(name)
    assert isinstance(place, ObjectPath)
    lease = take(place, patience_s)
    try:
        yield lease
    finally:
        lease.give_back()


@contextmanager
def held_after_waiting(
    root: DataPath | str, name: str, patience_s: float, say: Callable[[HeldError], None]
) -> Iterator[Hold]:
    """Hold a right as `held` does; `say` is called once if another process has it first.

    Raises:
        HeldError: another process holds it all the time.
    """
    with ExitStack() as stack:
        try:
            hold = stack.enter_context(held(root, name, 0.0))
        except HeldError as error:
            say(error)
            hold = stack.enter_context(held(root, name, patience_s))
        yield hold


@contextmanager
def _locked(path: Path, patience_s: float, *, named: bool) -> Iterator[None]:
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock, who = FileLock(path), path.with_suffix(".holder")
    try:
        lock.acquire(timeout=patience_s)
    except Timeout as error:
        raise HeldError(str(path), _holder(who) if named else None) from error
    try:
        if named:
            who.write_text(json.dumps(asdict(Holder.here())))
        yield
    finally:
        if named:
            who.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> Holder | None:
    with suppress(OSError, ValueError, TypeError):
        return Holder(**json.loads(path.read_text()))
    return None
