"""Recipes that extend another one: a few lines in place of a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from rolesynth_assets.yaml_files import PATTERNS

EXTENDS = "extends"
OWN = ("name", "description", EXTENDS)
"""Fields that a recipe does not take from its parent."""


class Contents(Protocol):
    """A library, as far as the content of its files is concerned."""

    @property
    def error(self) -> type[Exception]:
        """Raised for a file that cannot be used."""
        ...

    @property
    def what(self) -> str:
        """What a file is, for messages."""
        ...

    def content(self, path: Path) -> dict[str, Any]:
        """Return the mapping in a file."""
        ...


class Parents:
    """The recipes that others may extend, by name."""

    def __init__(self, library: Contents, folders: Sequence[Path]) -> None:
        """Name the folders, of which later ones win by name."""
        self._library = library
        self._folders = folders

    def resolved(
        self, own: Mapping[str, Any], path: Path, children: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the content of a recipe with what it takes from its parents.

        A field of the recipe replaces its parent's; the fields of a mapping, such as ``schedule``,
        replace them one by one.

        Args:
            own: content of the recipe's file.
            path: the file, for messages.
            children: names of the recipes on whose behalf this one is read, the first one first.

        Raises:
            Exception: the library's error, if a parent does not exist, cannot be read or extends a
                recipe that extends it.
        """
        if EXTENDS not in own:
            return dict(own)
        name, chain = own[EXTENDS], [*children, str(own.get("name", path.stem))]
        if not isinstance(name, str):
            raise self._fault(path, f"has to be the name of a {self._library.what}")
        if name in chain:
            circle = " extends ".join([*chain[chain.index(name) :], name])
            raise self._fault(path, f"a recipe cannot extend itself: {circle}")
        if name not in self._paths:
            near = get_close_matches(name, self._paths, n=1)
            meant = f"did you mean {near[0]}?" if near else f"choose one of {sorted(self._paths)}"
            raise self._fault(path, f"{name!r} is no {self._library.what}; {meant}")
        above = self._paths[name]
        try:
            parent = self.resolved(self._library.content(above), above, chain)
        except self._library.error as cause:
            raise self._fault(path, f"{name!r} cannot be used: {cause}") from cause
        inherited = {field: value for field, value in parent.items() if field not in OWN}
        return _merged(inherited, {f: value for f, value in own.items() if f != EXTENDS})

    @cached_property
    def _paths(self) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for folder in self._folders:
            for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
                try:
                    name = self._library.content(path).get("name")
                except self._library.error:
                    name = path.stem  # whoever extends it learns what is wrong with it
                if isinstance(name, str):
                    paths[name] = path
        return paths

    def _fault(self, path: Path, said: str) -> Exception:
        return self._library.error(f"{path}: field {EXTENDS}: {said}")


def _merged(parent: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(parent)
    for field, value in child.items():
        above = parent.get(field)
        if isinstance(value, dict) and isinstance(above, dict):
            merged[field] = _merged(above, value)
        else:
            merged[field] = value
    return merged
