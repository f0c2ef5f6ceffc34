"""An id for each table, given when the table is made: a table deleted and made anew has another.

Dagster remembers what was made of a table, also after somebody deleted its files. The id says
whether the rows it remembers can be in the table that is there now.
"""

from __future__ import annotations

from uuid import uuid4

from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.files.atomic_files import create_text, write_text
from rolesynth_assets.files.object_path import DataPath

SMALL = "small"
"""The name under which all small tables are known here; they have one id, given on first use."""


def renew_identity(root: DataPath | str, table: str) -> str:
    """Give a table a new id; called where its first version is written, by one writer at a time.

    Args:
        root: data root.
        table: Lance table, or `SMALL`.
    """
    new = uuid4().hex
    write_text(DataPaths(root).table_identity(table), new)
    return new


def identity(root: DataPath | str, table: str) -> str | None:
    """Return a table's id; None for a table that was made before there were ids."""
    try:
        return DataPaths(root).table_identity(table).read_text().strip()
    except FileNotFoundError:
        return None


def given_identity(root: DataPath | str, table: str) -> str:
    """Return a table's id; a table without one gets it now, the same for all who ask at once."""
    path = DataPaths(root).table_identity(table)
    while not (found := identity(root, table)):
        create_text(path, uuid4().hex)
    return found
