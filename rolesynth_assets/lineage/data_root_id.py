"""The data root that a Dagster instance is about: an id, in the root and in the instance.

Dagster remembers what was made, and the data root holds it. With the memory of another project, or
over an empty root, everything would look up to date that is not there.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from uuid import uuid4

import dagster as dg

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.errors import InputError
from rolesynth_assets.files.atomic_files import create_text
from rolesynth_assets.files.object_path import DataPath, data_path
from rolesynth_assets.files.object_store import StorageError

_KEY = "rolesynth/data_root"


class OtherDataRootError(InputError):
    """The instance records what was made in another data root; the message names both."""


@dataclass(frozen=True)
class DataRoot:
    """A data root as an instance knows it.

    Attributes:
        id: what its file says.
        path: where it was at the last start.
    """

    id: str
    path: str


def recorded_root(instance: dg.DagsterInstance) -> DataRoot | None:
    """Return the data root that the instance is about; None for a new instance."""
    found = instance.daemon_cursor_storage.get_cursor_values({_KEY}).get(_KEY)
    return DataRoot(**json.loads(found)) if found else None


def root_id(root: DataPath) -> str | None:
    """Return the id of a data root; None where it has none yet."""
    try:
        return DataPaths(root).identity.read_text().strip() or None
    except FileNotFoundError:
        return None


def check_data_root(instance: dg.DagsterInstance, root: DataPath) -> DataRoot:
    """Compare the data root with the one the instance is about; a new pair is recorded.

    A root that was moved keeps its id. One that was deleted and is empty now is the same root:
    everything that was in it is missing. A copy has the same id too, and is refused as long as the
    other one is there.

    Args:
        instance: the Dagster instance.
        root: the data root.

    Raises:
        OtherDataRootError: they are not the same.
    """
    known, here = recorded_root(instance), root_id(root)
    if here is None:
        gone = known is not None and not _is_there(known) and not _holds_tables(root)
        here = _given_id(root, known.id if known is not None and gone else uuid4().hex)
    if known is not None and known.id != here:
        raise OtherDataRootError(
            f"This Dagster home ({instance.root_directory}) records what was made in the data root "
            f"{known.path}, but the data root here is another one: {root}. Set DAGSTER_HOME to a "
            "folder of its own for this project, or ROLESYNTH_DATA to the other data root. If "
            "that one is gone for good, `rolesynth doctor --adopt` goes on with this one, and what "
            "it does not hold counts as missing."
        )
    if known is not None and not _same_place(known, root) and _is_there(known):
        raise OtherDataRootError(
            f"This Dagster home ({instance.root_directory}) records what was made in the data root "
            f"{known.path}, and {root} is a copy of it: both are there and have one id. Set "
            "DAGSTER_HOME to a folder of its own for the copy, or ROLESYNTH_DATA to the other "
            "data root; `rolesynth doctor --adopt` goes on with the copy."
        )
    return adopt_data_root(instance, root)


def adopt_data_root(instance: dg.DagsterInstance, root: DataPath) -> DataRoot:
    """Record a data root as the one the instance is about."""
    found = DataRoot(root_id(root) or _given_id(root, uuid4().hex), str(root))
    if recorded_root(instance) != found:
        instance.daemon_cursor_storage.set_cursor_values({_KEY: json.dumps(asdict(found))})
    return found


def _is_there(known: DataRoot) -> bool:
    try:
        return root_id(data_path(known.path)) == known.id
    except StorageError:  # a bucket that does not answer is not gone
        return True


def _same_place(known: DataRoot, root: DataPath) -> bool:
    return os.path.realpath(known.path) == os.path.realpath(str(root))


def _given_id(root: DataPath, new: str) -> str:
    """Give a data root an id; of several who do so at once, all get the same."""
    create_text(DataPaths(root).identity, new)
    return root_id(root) or new


def _holds_tables(root: DataPath) -> bool:
    paths = DataPaths(root)
    return paths.lance.exists() or paths.small.exists()
