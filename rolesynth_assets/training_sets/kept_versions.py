"""The versions of the Lance tables that something refers to, and that no clean-up may remove."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rolesynth_assets.store.errors import MissingVersionError
from rolesynth_assets.store.lance.schemas import TABLES
from rolesynth_assets.training_sets.pins import PINNED_TABLES

if TYPE_CHECKING:
    from rolesynth_assets.store.lance.store import Store
    from rolesynth_assets.store.small.snapshot import TableReader


def pinned_versions(small: TableReader) -> dict[str, set[int]]:
    """Return by table the versions that a training set or a manifest is pinned to."""
    pins = small.read("training_set_pins")
    pinned = {table: set(pins[f"{table}_version"].drop_nulls()) for table in PINNED_TABLES}
    for table in ("training_sets", "manifests"):
        pinned["pairs"] |= set(small.read(table)["pairs_version"].drop_nulls())
    return pinned


def keep_pinned(store: Store, small: TableReader) -> None:
    """Keep exactly the versions that something is pinned to.

    A pin that an earlier version wrote without keeping its version gets it now, if it is there.
    """
    pinned = pinned_versions(small)
    for table in TABLES:
        needed = pinned.get(table, set())
        for version in needed:
            with suppress(MissingVersionError):
                store.keep_version(table, version)
        store.release_versions(table, needed)
