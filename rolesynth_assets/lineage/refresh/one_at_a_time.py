"""One process at a time brings a data root up to date, whichever Dagster home it works for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rolesynth_assets.files.object_path import DataPath
from rolesynth_assets.store.errors import HeldError
from rolesynth_assets.store.leases.hold import held


class BusyError(RuntimeError):
    """Another process brings the same data root up to date."""


@contextmanager
def alone(data_root: DataPath, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the one right to rematerialize, so that nothing is made or paid twice at once.

    The lock is in the data root, since that is what two hosts or two Dagster homes may share. In a
    bucket, the right of a process that dies on another host is free after a minute.

    Args:
        data_root: the data root.
        wait_s: seconds to wait for whoever holds it.

    Raises:
        BusyError: another process holds it; the message names it.
    """
    with _in_words(), held(data_root, "rematerialize", wait_s):
        yield


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except HeldError as error:
        holder = "" if error.holder is None else f" ({error.who})"
        raise BusyError(
            f"another process{holder} is bringing this data root up to date (`rolesynth run`, "
            "`rolesynth problems`, `rolesynth stale --fix`, the weekly refresh, or the sensor); "
            "wait for it, or look at its runs in the UI"
        ) from None
