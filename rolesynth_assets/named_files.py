"""YAML files that each hold one named thing: the shipped ones, overlaid by a user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from pydantic import ValidationError


class Named(Protocol):
    """Whatever a file of a folder holds."""

    @property
    def name(self) -> str:
        """The name it goes by, whatever the file is called."""
        ...


Value = TypeVar("Value", bound=Named)


def load_named(
    shipped: Path,
    extra_dir: Path | None,
    read: Callable[[Path], Value],
    clash: Callable[[str, Path, Path], Exception],
    patterns: Sequence[str] = ("*.yaml",),
) -> dict[str, Value]:
    """Read the shipped files, then those of a user's folder, which win by name.

    Args:
        shipped: folder inside the package.
        extra_dir: the user's; None or a folder that does not exist adds nothing.
        read: reads one file.
        clash: makes the error for a name that two files of one folder have (name, first, second).
        patterns: of the files' names.

    Returns:
        Values by name, in alphabetical order.
    """
    found = _read_folder(shipped, read, clash, patterns)
    if extra_dir is not None and extra_dir.is_dir():
        found |= _read_folder(extra_dir, read, clash, patterns)
    return dict(sorted(found.items()))


def faults(error: ValidationError, whole: str) -> list[str]:
    """Return what is wrong with each field as ``field: fault``, without the values given.

    Args:
        error: of a pydantic model.
        whole: what to call a fault that belongs to no field.
    """
    return [
        f"{'.'.join(map(str, fault['loc'])) or whole}: {fault['msg']}"
        for fault in error.errors(include_input=False, include_url=False)
        if fault["type"] != "default_factory_not_called"  # follows from another field's fault
    ]


def _read_folder(
    folder: Path,
    read: Callable[[Path], Value],
    clash: Callable[[str, Path, Path], Exception],
    patterns: Sequence[str],
) -> dict[str, Value]:
    values: dict[str, Value] = {}
    origin: dict[str, Path] = {}
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
        value = read(path)
        if value.name in values:
            raise clash(value.name, origin[value.name], path)
        values[value.name], origin[value.name] = value, path
    return values
