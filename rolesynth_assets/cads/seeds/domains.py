"""The domains of a project: one for each file, or folder of files, with seeds."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

from rolesynth_assets.cads.seeds.files import SeedFileError
from rolesynth_assets.store.digests import digest, file_digest
from rolesynth_assets.yaml_files import Named, fit_for_a_key, key_for

NO_DOMAIN = "problems"
"""The key for a project without seeds, because a graph needs at least one partition."""

_log = logging.getLogger(__name__)
_KINDS = (".jsonl", ".parquet")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")  # it is part of partition keys and of paths


def domain_files(*folders: Path) -> Named[Path]:
    """Return the file or folder of each domain's seeds, by domain; later folders win.

    A name that cannot be a partition key, and a second file of one domain, is logged with its
    reason, and is among the broken ones.

    Args:
        folders: folders with ``<domain>.jsonl``, ``<domain>.parquet`` or folders of such files; one
            that does not exist has no domains.
    """
    found: dict[str, Path] = {}
    broken: dict[str, Exception] = {}
    for folder in folders:
        own: dict[str, Path] = {}
        faults: dict[str, Exception] = {}
        for name, path in _named(folder):
            try:
                own[_checked(name, path, own.get(name))] = path
            except SeedFileError as error:
                _log.warning("Skipped: %s", error)
                faults[name if name in own else key_for(name)] = error
        found |= own
        broken = {name: error for name, error in broken.items() if name not in own} | faults
    return Named(found, broken)


def _named(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name of each domain that a folder seems to have, with its file or folder."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name.startswith("."):  # such as those that macOS puts beside files on a share
            continue
        if path.is_dir():
            if any(file.suffix in _KINDS for file in path.iterdir()):
                yield path.name, path  # another one has images to which a file refers
        elif path.suffix in _KINDS:
            yield path.stem, path


def _checked(name: str, path: Path, other: Path | None) -> str:
    if not _KEY.fullmatch(name):
        raise SeedFileError(
            f"{path}: {name!r} cannot name a domain; use letters, digits, dots, dashes and "
            "underscores."
        )
    try:
        fit_for_a_key(name)
    except ValueError as error:
        raise SeedFileError(f"{path}: {error}.") from None
    if other is not None:
        raise SeedFileError(
            f"{path} and {other} are both domain {name!r}: rename one, or put both into a folder "
            f"{path.parent / name}."
        )
    return name


def seeds_digest(path: Path) -> str:
    """Return the digest of a domain's file or folder, which changes when its seeds may change.

    Images in the domain's folder are part of it; images to which a single file refers are not.
    """
    parts: list[str] = []
    for file in _files(path):
        parts += [str(file.relative_to(path.parent)), file_digest(file)]
    return digest("seed files", *parts)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (file for file in sorted(path.rglob("*")) if file.is_file())
